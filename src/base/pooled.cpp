#include "base/pooled.h"

#include <array>
#include <new>

namespace drover {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

void* allocate_pooled(std::size_t size) { return ::operator new(size); }
void free_pooled(void* frame, std::size_t size) noexcept { ::operator delete(frame, size); }

#else
namespace {

constexpr std::size_t kStep = 16;             // bytes between two size classes
constexpr std::size_t kClasses = 384;         // larger frames go to malloc
constexpr std::size_t kKeptBytes = 16 << 10;  // of free blocks of a class; a burst's surplus goes back to malloc

struct FreeFrame {
  FreeFrame* next;
};

struct FreeList {
  FreeFrame* first = nullptr;
  std::size_t count = 0;
};

// The lists of one thread; given back when it ends.
struct FrameLists {
  std::array<FreeList, kClasses> classes;
  ~FrameLists() {
    for (FreeList& list : classes) {
      while (list.first != nullptr) {
        FreeFrame* frame = list.first;
        list.first = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

thread_local FrameLists lists;

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep; }

}  // namespace

void* allocate_pooled(std::size_t size) {
  const auto index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  FreeList& list = lists.classes[index];
  if (list.first == nullptr) return ::operator new(index * kStep);
  FreeFrame* frame = list.first;
  list.first = frame->next;
  --list.count;
  return frame;
}

void free_pooled(void* memory, std::size_t size) noexcept {
  const auto index = class_of(size);
  if (index >= kClasses || (lists.classes[index].count + 1) * index * kStep > kKeptBytes)
    return ::operator delete(memory);
  FreeList& list = lists.classes[index];
  list.first = new (memory) FreeFrame{list.first};
  ++list.count;
}

#endif

}  // namespace drover
