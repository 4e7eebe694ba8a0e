#pragma once
// Memory for what lives for a request or a part of one: coroutine frames above all. A request needs a handful of blocks
// of the same few sizes, over and over, and thousands may need more for a moment. So each thread has slabs, each for
// one size: taking and freeing are a few instructions, and what a burst took goes back to the kernel, since nothing
// that lives longer lies between (malloc kept 3.5 KB a stream after 5,000 began at once). A block is freed by the
// thread that took it, or by another after that one has ended. Under sanitizers every block is malloc's, so that errors
// show.

#include <cstddef>
#include <memory>
#include <utility>

namespace drover {

// `size` is not 0, and the same at both; aligned to 16 bytes.
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
  // NOLINTBEGIN(bugprone-sizeof-expression): T may well be a pointer
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_pooled(count * sizeof(T))); }
  void deallocate(T* at, std::size_t count) noexcept { free_pooled(static_cast<void*>(at), count * sizeof(T)); }
  // NOLINTEND(bugprone-sizeof-expression)
  friend bool operator==(const PooledAllocator&, const PooledAllocator&) { return true; }
};

}  // namespace drover
