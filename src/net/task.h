#pragma once
// Task<T>: a coroutine that runs when it is awaited and gives a T. Awaiting one that never waits costs no trip through
// the loop. A task does not throw. TaskGroup starts tasks as flows of their own and is how they are ended.

#include <coroutine>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/pooled.h"
#include "net/flow.h"

namespace drover::net {

template <typename T>
class Task;

namespace detail {

struct PromiseBase {
  Flow* flow = nullptr;                  // handed down when the task is awaited
  std::coroutine_handle<> continuation;  // who awaits us

  static void* operator new(std::size_t size) { return allocate_pooled(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_pooled(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  struct ResumeContinuation {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> task) const noexcept {
      return task.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  ResumeContinuation final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { check_failed(__FILE__, __LINE__, "a task threw"); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> result;
  Task<T> get_return_object();
  template <typename Value = T>
  void return_value(Value&& value) {
    result.emplace(std::forward<Value>(value));
  }
  T take() { return std::move(*result); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    handle_.promise().flow = awaiting.promise().flow;
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <typename T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>{std::coroutine_handle<Promise<T>>::from_promise(*this)};
}

inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>{std::coroutine_handle<Promise<void>>::from_promise(*this)};
}

// The flow that the awaiting task belongs to: `Flow& flow = co_await this_flow();`
struct this_flow {
  Flow* flow = nullptr;
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    flow = task.promise().flow;
    return false;
  }
  Flow& await_resume() const noexcept { return *flow; }
};

// Owns the flows started in it. Whoever has a group cancels it if need be and awaits `ended()` before it dies.
// Thread: the loop's.
class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop) : loop_(loop) {}
  TaskGroup(const TaskGroup&) = delete;
  ~TaskGroup() { CHECK(size_ == 0); }

  // The task starts on the loop's next turn.
  void spawn(Task<void> task);
  void cancel_all();
  std::size_t size() const { return size_; }

  // Ends when no flow of the group is left; timed_out at the deadline. One waiter at a time.
  class Ended final : public Wait {
   public:
    Ended(TaskGroup& group, Mono deadline) : Wait(deadline), group_(group) {}
    bool await_resume() const { return ended_; }  // false: timed out or cancelled

   private:
    bool step(Flow&) override { return ended_ = group_.size_ == 0; }
    void fail(ErrorCode) override { ended_ = false; }
    void attach(Flow& flow) override { group_.waiter_ = &flow; }
    void detach() override { group_.waiter_ = nullptr; }

    TaskGroup& group_;
    bool ended_ = false;
  };
  Ended ended(Mono deadline = kNever) { return Ended{*this, deadline}; }

 private:
  struct Root;  // the outermost coroutine of a flow
  static Root run(TaskGroup& group, Task<void> task);

  Loop& loop_;
  IntrusiveList<Flow, &Flow::group_link> flows_;
  std::size_t size_ = 0;
  Flow* waiter_ = nullptr;
};

}  // namespace drover::net
