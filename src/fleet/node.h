#pragma once
// The nodes of the fleet as settings and the command line name them.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "http/url.h"

namespace drover::fleet {

// Where a node listens, for telling nodes apart. Two nodes of one address are one node.
struct Address {
  std::string host;  // lower case; `localhost`, 127.0.0.1, `::1`, 0.0.0.0 and `::` are all `localhost`
  std::uint16_t port = 0;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// Normalises as the comment of `host` says: an address of this machine is spelled in many ways, and one Ollama must not
// count as two. IPv6 addresses are written in one form. `host` may be any text.
Address address_of(std::string_view host, std::uint16_t port);
inline Address address_of(const http::BaseUrl& url) { return address_of(url.host, url.port); }
std::string to_text(const Address& address);  // `localhost:11434`, `[fe80::1]:80`

// Which protocol a node speaks. Other engines (vLLM, llama-server) follow.
enum class NodeKind : std::uint8_t { ollama };
std::string_view name(NodeKind kind);

struct NodeSpec {
  NodeId id;
  std::string name;  // for people, metrics and `x-drover-node`; unique in the fleet
  http::BaseUrl url;
  NodeKind kind = NodeKind::ollama;
  unsigned weight = 1;  // 1 to 100: its share where a policy goes by weight
  std::optional<unsigned> slots =
      std::nullopt;  // requests it runs at once for one model, 1 to 1024; nullopt: found out (auto)
  std::optional<unsigned> max_loaded =
      std::nullopt;  // models that it holds in memory at once, 1 to 64; nullopt: as far as is seen (auto)
  std::optional<http::BaseUrl> agent = std::nullopt;  // which tells about its GPUs
  std::string gpu{};                                  // its name (gpu/data_sheet.h); empty: as its agent says
  bool simulated = false;                             // started by `drover up` itself

  friend bool operator==(const NodeSpec&, const NodeSpec&) = default;
};

// A name for a node that got none: `localhost-11434`, `gpu-2-11434`. Only letters, digits and `-._`.
std::string default_name(const http::BaseUrl& url);

}  // namespace drover::fleet
