#include "cli/local_slots.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "base/ascii.h"

namespace drover::cli {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kMostSlots = 1024;

// Inodes of the sockets that listen on this port, on any address: `sl local_address rem_address st ... inode`.
std::set<std::string> listening_inodes(std::uint16_t port) {
  std::set<std::string> inodes;
  const std::string wanted = fmt::format(":{:04X}", port);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      std::istringstream columns(line);
      std::array<std::string, 10> column;
      for (std::string& text : column) columns >> text;
      constexpr std::string_view kListening = "0A";
      if (column[3] == kListening && column[1].ends_with(wanted)) inodes.insert("socket:[" + column[9] + "]");
    }
  }
  return inodes;
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (inodes.contains(fs::read_symlink(entry->path(), gone).string())) return true;
  }
  return false;
}

unsigned slots_in_environment(const fs::path& process) {
  std::ifstream file(process / "environ", std::ios::binary);
  constexpr std::string_view kName = "OLLAMA_NUM_PARALLEL=";
  for (std::string entry; std::getline(file, entry, '\0');) {
    if (!entry.starts_with(kName)) continue;
    // Ollama strips blanks and quotes, and falls back to its default of 1 on anything that is no number.
    const auto number = ascii::to_number(ascii::trim(std::string_view(entry).substr(kName.size()), " \t\"'"));
    if (number && *number >= 1) return static_cast<unsigned>(std::min<std::uint64_t>(*number, kMostSlots));
  }
  return 1;
}

}  // namespace

std::optional<unsigned> local_slots(const net::Endpoint& endpoint) {
  if (!endpoint.is_loopback()) return std::nullopt;
  const auto inodes = listening_inodes(endpoint.port);
  if (inodes.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    if (!ascii::to_number(entry->path().filename().string())) continue;
    std::string command;
    std::getline(std::ifstream(entry->path() / "comm"), command);
    if (command == "ollama" && holds_one_of(entry->path(), inodes)) return slots_in_environment(entry->path());
  }
  return std::nullopt;
}

}  // namespace drover::cli
