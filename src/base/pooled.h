#pragma once
// Memory for what lives for a request or a part of one: coroutine frames above all. A request needs a handful of blocks
// of the same few sizes, over and over; a free list per size class and thread makes them free of malloc. Under
// sanitizers every block is malloc's, so that errors show.

#include <cstddef>
#include <memory>
#include <utility>

namespace drover {

void* allocate_pooled(std::size_t size);
void free_pooled(void* memory, std::size_t size) noexcept;

// An object in such memory: for what lives for a part of a request only, and would make the frame around it too large.
template <typename T>
struct FreePooled {
  void operator()(T* object) const noexcept {
    object->~T();
    free_pooled(object, sizeof(T));
  }
};
template <typename T>
using Pooled = std::unique_ptr<T, FreePooled<T>>;
template <typename T, typename... Arguments>
Pooled<T> make_pooled(Arguments&&... arguments) {
  return Pooled<T>(new (allocate_pooled(sizeof(T))) T(std::forward<Arguments>(arguments)...));
}

// For the nodes of containers.
template <typename T>
struct PooledAllocator {
  using value_type = T;
  PooledAllocator() = default;
  template <typename Other>
  PooledAllocator(const PooledAllocator<Other>&) {}  // NOLINT(google-explicit-constructor): containers convert
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_pooled(count * sizeof(T))); }
  void deallocate(T* at, std::size_t count) noexcept { free_pooled(at, count * sizeof(T)); }
  friend bool operator==(const PooledAllocator&, const PooledAllocator&) { return true; }
};

}  // namespace drover
