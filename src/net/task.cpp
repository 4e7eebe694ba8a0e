#include "net/task.h"

#include "net/loop.h"

namespace drover::net {

// Holds the Flow itself, and frees its own frame when the task has ended.
struct TaskGroup::Root {
  struct promise_type {
    promise_type(TaskGroup& owner, Task<void>&) : group(owner), own_flow(owner.loop_), flow(&own_flow) {}

    static void* operator new(std::size_t size) { return allocate_pooled(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_pooled(frame, size); }

    Root get_return_object() { return Root{*this}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Leave {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> root) const noexcept {
        TaskGroup& owner = root.promise().group;
        root.destroy();
        --owner.size_;
        if (owner.waiter_ != nullptr) owner.waiter_->wake();
      }
      void await_resume() const noexcept {}
    };
    Leave final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { check_failed(__FILE__, __LINE__, "a task threw"); }

    TaskGroup& group;
    Flow own_flow;
    Flow* flow;
  };
  promise_type& promise;
};

TaskGroup::Root TaskGroup::run(TaskGroup&, Task<void> task) { co_await std::move(task); }

void TaskGroup::spawn(Task<void> task) {
  Root root = run(*this, std::move(task));
  Flow& flow = root.promise.own_flow;
  flow.task_ = std::coroutine_handle<Root::promise_type>::from_promise(root.promise);
  flows_.push_back(flow);
  ++size_;
  loop_.make_ready(flow);
}

void TaskGroup::cancel_all() {
  flows_.for_each([](Flow& flow) { flow.cancel(); });
}

}  // namespace drover::net
