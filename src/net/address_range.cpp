#include "net/address_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace drover::net {
namespace {

constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Endpoint unmapped(const Endpoint& address) {
  if (!address.v6 || !std::equal(kMapped.begin(), kMapped.end(), address.ip.begin())) return address;
  Endpoint v4;
  std::copy(address.ip.begin() + kMapped.size(), address.ip.end(), v4.ip.begin());
  return v4;
}

// What of the byte belongs to the first `bits` of its address.
std::uint8_t mask(std::size_t byte, unsigned bits) {
  const std::size_t before = byte * 8;
  if (bits >= before + 8) return 0xff;
  if (bits <= before) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (bits - before)));
}

Error no_range(std::string_view text, std::string_view why) {
  return Error{ErrorCode::config, Side::gateway,
               fmt::format("\"{}\" {}; expected an address or a range such as 10.0.0.0/8 or fd00::/8", text, why)};
}

}  // namespace

bool AddressRange::contains(const Endpoint& address) const {
  const Endpoint its = unmapped(address);
  if (its.v6 != first.v6) return false;
  for (std::size_t byte = 0; byte * 8 < prefix; ++byte) {
    if (((its.ip[byte] ^ first.ip[byte]) & mask(byte, prefix)) != 0) return false;
  }
  return true;
}

Result<AddressRange> parse_address_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash), 0);
  if (!address) return no_range(text, "is no address");
  AddressRange range{.first = *address, .prefix = address->v6 ? kV6Bits : kV4Bits};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const unsigned most = range.prefix;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), range.prefix);
    if (error != std::errc{} || end != digits.data() + digits.size() || range.prefix > most) {
      return no_range(text, fmt::format("has no number from 0 to {} behind its slash", most));
    }
  }
  for (std::size_t byte = 0; byte < range.first.ip.size(); ++byte) {
    if ((range.first.ip[byte] & ~mask(byte, range.prefix)) != 0) {
      return no_range(text, fmt::format("has bits behind its first {}", range.prefix));
    }
  }
  return range;
}

std::string to_text(const AddressRange& range) {
  const std::string address = ip_text(range.first);
  if (range.prefix == (range.first.v6 ? kV6Bits : kV4Bits)) return address;
  return fmt::format("{}/{}", address, range.prefix);
}

}  // namespace drover::net
