// Spellings of one address are one node.
#include <gtest/gtest.h>

#include "fleet/node.h"

namespace drover::fleet {
namespace {

TEST(Address, of_this_machine_has_one_form) {
  for (const auto* host : {"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "[::1]", "0.0.0.0",
                           "::", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"}) {
    EXPECT_EQ(address_of(host, 11434), (Address{"localhost", 11434})) << host;
  }
}

TEST(Address, of_other_machines_differ_by_host_and_port) {
  const Address gpu = address_of("gpu-1", 11434);
  EXPECT_EQ(gpu, address_of("GPU-1.", 11434));
  EXPECT_EQ(address_of("fe80:0::1", 80), address_of("fe80::1", 80));
  EXPECT_EQ(address_of("::ffff:10.0.0.1", 80), address_of("10.0.0.1", 80));
  EXPECT_NE(gpu, address_of("gpu-1", 11435));
  EXPECT_NE(gpu, address_of("gpu-2", 11434));
  // Another loopback address is another listener.
  EXPECT_NE(address_of("127.0.0.2", 80), address_of("127.0.0.1", 80));
  EXPECT_NE(address_of(std::string_view("127.0.0.1\0x", 11), 80), address_of("127.0.0.1", 80));
}

TEST(Address, is_written_with_brackets_around_ipv6) {
  EXPECT_EQ(to_text(address_of("fe80::1", 80)), "[fe80::1]:80");
  EXPECT_EQ(to_text(address_of("::1", 80)), "localhost:80");
}

TEST(NodeName, defaults_to_its_address) {
  EXPECT_EQ(default_name(http::parse_base_url("http://GPU-2:11434").value()), "gpu-2-11434");
  EXPECT_EQ(default_name(http::parse_base_url("").value()), "localhost-11434");
  EXPECT_EQ(default_name(http::parse_base_url("[fe80::1]:80").value()), "fe80--1-80");
}

}  // namespace
}  // namespace drover::fleet
