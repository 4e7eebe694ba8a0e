#pragma once
// What a node answers to those that ask what it is and holds: Drover's probes, and those of other routers.

#include <optional>
#include <string_view>

namespace drover::bench {

// The body of the answer; nullopt: 404. `target` is `METHOD path`.
std::optional<std::string_view> probe_answer(std::string_view target);

}  // namespace drover::bench
