#pragma once
// Soon<T>: a T that is usually at hand, else what a task gives. Awaited like a task; where the value is at hand there
// is neither a frame nor a suspension, which the many small steps of a request would feel.

#include <concepts>
#include <coroutine>
#include <utility>
#include <variant>

#include "net/task.h"

namespace drover::net {

template <typename T>
class [[nodiscard]] Soon {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a plain function returns the one or the other
  template <std::convertible_to<T> Value>
  Soon(Value&& value) : found_(std::in_place_index<0>, std::forward<Value>(value)) {}
  Soon(Task<T> task) : found_(std::in_place_index<1>, std::move(task)) {}
  // NOLINTEND(google-explicit-constructor)

  bool await_ready() const noexcept { return found_.index() == 0; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    return std::get<1>(found_).await_suspend(awaiting);
  }
  T await_resume() { return await_ready() ? std::get<0>(std::move(found_)) : std::get<1>(found_).await_resume(); }

 private:
  std::variant<T, Task<T>> found_;
};

}  // namespace drover::net
