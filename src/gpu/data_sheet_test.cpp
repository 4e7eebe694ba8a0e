#include "gpu/data_sheet.h"

#include <gtest/gtest.h>

namespace drover::gpu {
namespace {

std::string_view found(std::string_view name) {
  const DataSheet* const sheet = find_data_sheet(name);
  return sheet == nullptr ? "" : sheet->name;
}

TEST(DataSheet, knows_names_as_drivers_and_people_write_them) {
  EXPECT_EQ(found("NVIDIA GeForce RTX 4090"), "RTX 4090");
  EXPECT_EQ(found("rtx4090"), "RTX 4090");
  EXPECT_EQ(found("NVIDIA GeForce RTX 4070 Ti SUPER"), "RTX 4070 Ti Super");
  EXPECT_EQ(found("NVIDIA GeForce RTX 4070"), "RTX 4070");
  EXPECT_EQ(found("NVIDIA H100 80GB HBM3"), "H100");
  EXPECT_EQ(found("NVIDIA H100 PCIe"), "H100 PCIe");
  EXPECT_EQ(found("NVIDIA A100-SXM4-80GB"), "A100 80GB");
  EXPECT_EQ(found("NVIDIA A100-SXM4-40GB"), "A100");
  EXPECT_EQ(found("a100-80g"), "A100 80GB");
  EXPECT_EQ(found("NVIDIA A10G"), "A10");
  EXPECT_EQ(found("NVIDIA RTX 6000 Ada Generation"), "RTX 6000 Ada");
  EXPECT_EQ(found("NVIDIA L40S"), "L40S");
  EXPECT_EQ(found("Tesla T4"), "T4");
  EXPECT_EQ(found("AMD Radeon RX 7900 XTX"), "RX 7900 XTX");
  EXPECT_EQ(found("AMD Instinct MI300X"), "MI300X");
  EXPECT_EQ(found("Apple M2 Ultra"), "M2 Ultra");
}

TEST(DataSheet, does_not_take_one_for_another) {
  for (const std::string_view name :
       {"", "NVIDIA", "GeForce GTX 1080", "RTX 40900", "L5", "fast", "Quadro RTX 6000",
        "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 2080 with Max-Q Design"}) {
    EXPECT_EQ(found(name), "") << name;
  }
}

TEST(DataSheet, finds_each_by_its_own_name) {
  for (const DataSheet& sheet : data_sheets()) {
    EXPECT_EQ(found(sheet.name), sheet.name);
    EXPECT_GT(sheet.bandwidth, 0);
    EXPECT_GT(sheet.arithmetic, 0);
  }
}

}  // namespace
}  // namespace drover::gpu
