#pragma once
// Memory for coroutine frames. A request needs a handful of frames of the same few sizes, over and over; a free list
// per size class and thread makes them free of malloc. Under sanitizers every frame is malloc's, so that errors show.

#include <cstddef>
#include <memory>
#include <utility>

namespace drover::net {

void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

// The same memory for what lives for a part of a request only, and would make the frame around it too large.
template <typename T>
struct FreePooled {
  void operator()(T* object) const noexcept {
    object->~T();
    free_frame(object, sizeof(T));
  }
};
template <typename T>
using Pooled = std::unique_ptr<T, FreePooled<T>>;
template <typename T, typename... Arguments>
Pooled<T> make_pooled(Arguments&&... arguments) {
  return Pooled<T>(new (allocate_frame(sizeof(T))) T(std::forward<Arguments>(arguments)...));
}

// For the nodes of containers.
template <typename T>
struct PooledAllocator {
  using value_type = T;
  PooledAllocator() = default;
  template <typename Other>
  PooledAllocator(const PooledAllocator<Other>&) {}  // NOLINT(google-explicit-constructor): containers convert
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_frame(count * sizeof(T))); }
  void deallocate(T* at, std::size_t count) noexcept { free_frame(at, count * sizeof(T)); }
  friend bool operator==(const PooledAllocator&, const PooledAllocator&) { return true; }
};

}  // namespace drover::net
