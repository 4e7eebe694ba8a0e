#include "base/pooled.h"

#include <malloc.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace drover {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

void* allocate_pooled(std::size_t size) { return ::operator new(size); }
void free_pooled(void* memory, std::size_t size) noexcept { ::operator delete(memory, size); }

#else
namespace {

constexpr std::size_t kStep = 16;             // bytes between two size classes
constexpr std::size_t kClasses = 384;         // larger blocks go to malloc
constexpr std::size_t kSlabBytes = 64 << 10;  // and a slab is aligned to that
constexpr std::size_t kArenaSlabs = 16;       // mapped at a time
constexpr std::size_t kKeptSlabs = 4;         // empty ones that keep their memory
constexpr std::size_t kTrimSlabs = 16;        // so many given back, and malloc is told to give back, too

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep; }

class Heap;

struct Block {
  Block* next;
};

// At the beginning of its memory; behind it are blocks of one class. Those that were never used come last, so that
// their pages are not touched before they are needed.
struct Slab {
  Slab(Heap& owner, std::size_t size_class)
      : heap(owner),
        index(static_cast<std::uint32_t>(size_class)),
        capacity(static_cast<std::uint32_t>((kSlabBytes - sizeof(Slab)) / block_size())) {}

  std::size_t block_size() const { return std::size_t{index} * kStep; }
  bool full() const { return used == capacity; }
  Block* take() {
    ++used;
    if (free == nullptr) return reinterpret_cast<Block*>(reinterpret_cast<char*>(this + 1) + block_size() * touched++);
    Block* const block = free;
    free = block->next;
    return block;
  }
  void put(void* memory) {
    free = new (memory) Block{free};
    --used;
  }

  Heap& heap;
  Slab* previous = nullptr;  // of its class, while it is not full
  Slab* next = nullptr;
  Block* free = nullptr;
  std::uint32_t index;
  std::uint32_t capacity;
  std::uint32_t used = 0;
  std::uint32_t touched = 0;  // blocks that were ever used
};
static_assert(sizeof(Slab) % kStep == 0);

// The slabs of a class that have room, oldest first: what is left of a burst is gathered in a few of them.
struct Roomy {
  Slab* first = nullptr;
  Slab* last = nullptr;

  void push_back(Slab& slab) {
    slab.previous = last;
    slab.next = nullptr;
    (last != nullptr ? last->next : first) = &slab;
    last = &slab;
  }
  void remove(Slab& slab) {
    (slab.previous != nullptr ? slab.previous->next : first) = slab.next;
    (slab.next != nullptr ? slab.next->previous : last) = slab.previous;
  }
};

// The slabs of one thread. It outlives the thread while a block of it is in use.
class Heap {
 public:
  ~Heap() {
    for (void* arena : arenas_) ::munmap(arena, kArenaSlabs * kSlabBytes);
  }

  // The way of nearly every block ends in no call or in one, so that no register has to be saved for it.
  void* take(std::size_t index) {
    Slab* const slab = roomy_[index].first;
    return slab != nullptr ? take_from(*slab, index) : take_from_new(index);
  }

  void put(Slab& slab, void* memory) {
    Roomy& roomy = roomy_[slab.index];
    if (slab.full()) roomy.push_back(slab);
    slab.put(memory);
    // The last one of a class stays: a block that is taken and freed over and over should not open a slab each time.
    if (slab.used == 0 && (ended_ || roomy.first != roomy.last)) close(slab);
  }

  void thread_ended() {
    for (Roomy& roomy : roomy_) {
      if (roomy.first != nullptr && roomy.first->used == 0) close(*roomy.first);
    }
    ended_ = true;
    if (open_ == 0) delete this;
  }

 private:
  void* take_from(Slab& slab, std::size_t index) {
    Block* const block = slab.take();
    if (slab.full()) roomy_[index].remove(slab);
    return block;
  }
  [[gnu::noinline]] void* take_from_new(std::size_t index) { return take_from(*open(index), index); }

  Slab* open(std::size_t index) {
    if (kept_.empty() && released_.empty()) map_arena();
    std::vector<void*>& from = kept_.empty() ? released_ : kept_;
    Slab* const slab = new (from.back()) Slab(*this, index);
    from.pop_back();
    ++open_;
    roomy_[index].push_back(*slab);
    return slab;
  }

  [[gnu::noinline]] void close(Slab& slab) {
    roomy_[slab.index].remove(slab);
    --open_;
    if (kept_.size() < kKeptSlabs) {
      kept_.push_back(&slab);
    } else {
      ::madvise(&slab, kSlabBytes, MADV_DONTNEED);
      released_.push_back(&slab);
      // A burst has ended. What it took of malloc lies below what stays, and would be kept for ever.
      if (++given_back_ % kTrimSlabs == 0) ::malloc_trim(0);
    }
    if (ended_ && open_ == 0) delete this;
  }

  void map_arena() {
    constexpr std::size_t kBytes = kArenaSlabs * kSlabBytes;
    void* const mapped =
        ::mmap(nullptr, kBytes + kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(mapped) % kSlabBytes;
    char* const arena = static_cast<char*>(mapped) + before;
    if (before > 0) ::munmap(mapped, before);
    ::munmap(arena + kBytes, kSlabBytes - before);
    ::madvise(arena, kBytes, MADV_NOHUGEPAGE);  // a huge page would hold what slabs leave free
    arenas_.push_back(arena);
    for (std::size_t slab = kArenaSlabs; slab-- > 0;) released_.push_back(arena + slab * kSlabBytes);
  }

  std::array<Roomy, kClasses> roomy_;
  std::size_t open_ = 0;         // slabs in use
  std::size_t given_back_ = 0;   // slabs given back
  std::vector<void*> kept_;      // empty slabs
  std::vector<void*> released_;  // empty slabs whose memory the kernel has back
  std::vector<void*> arenas_;
  bool ended_ = false;  // its thread
};

// What each block is taken from; null before the first one.
constinit thread_local Heap* heap = nullptr;

struct HeapOfThread {
  HeapOfThread() { heap = new Heap; }
  ~HeapOfThread() { std::exchange(heap, nullptr)->thread_ended(); }
};

[[gnu::noinline]] void* take_first(std::size_t index) {
  thread_local HeapOfThread of_thread;
  return heap->take(index);
}

}  // namespace

void* allocate_pooled(std::size_t size) {
  const auto index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  return heap != nullptr ? heap->take(index) : take_first(index);
}

void free_pooled(void* memory, std::size_t size) noexcept {
  if (class_of(size) >= kClasses) return ::operator delete(memory);
  Slab& slab = *reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(memory) & ~(kSlabBytes - 1));
  slab.heap.put(slab, memory);
}

#endif

}  // namespace drover
