#pragma once
// Memory for coroutine frames. A request needs a handful of frames of the same few sizes, over and over; a free list
// per size class and thread makes them free of malloc. Under sanitizers every frame is malloc's, so that errors show.

#include <cstddef>

namespace drover::net {

void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

}  // namespace drover::net
