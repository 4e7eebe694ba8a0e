#pragma once
// `10.0.0.0/8`: all addresses that begin alike.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/endpoint.h"

namespace drover::net {

struct AddressRange {
  Endpoint first;        // port 0; what is behind the prefix is zero
  unsigned prefix = 32;  // bits that all have in common

  // IPv4-mapped IPv6 addresses are taken for what they stand for.
  bool contains(const Endpoint& address) const;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

// `10.0.0.0/8`, `2001:db8::/32`, or one address. Error: config, with the text.
Result<AddressRange> parse_address_range(std::string_view text);
std::string to_text(const AddressRange& range);

}  // namespace drover::net
