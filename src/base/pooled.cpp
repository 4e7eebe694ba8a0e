#include "base/pooled.h"

#include <array>
#include <new>

namespace drover {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

void* allocate_pooled(std::size_t size) { return ::operator new(size); }
void free_pooled(void* memory, std::size_t size) noexcept { ::operator delete(memory, size); }

#else
namespace {

constexpr std::size_t kStep = 16;             // bytes between two size classes
constexpr std::size_t kClasses = 384;         // larger blocks go to malloc
constexpr std::size_t kKeptBytes = 16 << 10;  // of free blocks of a class; a burst's surplus goes back to malloc

struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* first = nullptr;
  std::size_t count = 0;
};

// The lists of one thread; given back when it ends.
struct FreeLists {
  std::array<FreeList, kClasses> classes;
  ~FreeLists() {
    for (FreeList& list : classes) {
      while (list.first != nullptr) {
        FreeBlock* block = list.first;
        list.first = block->next;
        ::operator delete(block);
      }
    }
  }
};

thread_local FreeLists lists;

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep; }

}  // namespace

void* allocate_pooled(std::size_t size) {
  const auto index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  FreeList& list = lists.classes[index];
  if (list.first == nullptr) return ::operator new(index * kStep);
  FreeBlock* block = list.first;
  list.first = block->next;
  --list.count;
  return block;
}

void free_pooled(void* memory, std::size_t size) noexcept {
  const auto index = class_of(size);
  if (index >= kClasses || (lists.classes[index].count + 1) * index * kStep > kKeptBytes)
    return ::operator delete(memory);
  FreeList& list = lists.classes[index];
  list.first = new (memory) FreeBlock{list.first};
  ++list.count;
}

#endif

}  // namespace drover
