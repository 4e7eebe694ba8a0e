#pragma once
// How a prompt looks to a gateway: text, of which equal beginnings can be told by hashes.

#include <cstdint>
#include <vector>

#include "engine/sequence.h"

namespace drover::replay {

std::uint64_t text_bytes(std::uint64_t tokens, double bytes_per_token);

// Into `blocks`: of each full block of balance::kPrefixBlock bytes a hash over all of the prompt up to its end. Cost:
// O(pieces + blocks).
void chain_blocks(const engine::Sequence& prompt, double bytes_per_token, std::vector<std::uint64_t>& blocks);

}  // namespace drover::replay
