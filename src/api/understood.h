#pragma once
// What the gateway needs to know of a request's body. The body itself is forwarded as it came; this only points into
// it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/prompt_chain.h"
#include "api/span.h"

namespace drover::api {

// A member of the body's object as Go's decoder sees it: null counts as absent.
enum class Presence : std::uint8_t { absent, empty, filled, wrong_type };

struct Member {
  Presence presence = Presence::absent;
  Span value{};  // with quotes or brackets; zero length when absent
  bool filled() const { return presence == Presence::filled; }
  // Go leaves the zero value in both cases, so the node cannot tell them apart.
  bool absent_or_empty() const { return presence == Presence::absent || presence == Presence::empty; }
  friend bool operator==(const Member&, const Member&) = default;
};

enum class Switch : std::uint8_t { absent, off, on, wrong_type };

// `zero` unloads as soon as idle; `other` is any lifetime, also for ever; `invalid` is what the node answers 400 to.
enum class KeepAlive : std::uint8_t { absent, zero, other, invalid };

// Settings that make Ollama load a resident model again when they differ from those it was loaded with. All but `shift`
// are members of `options`; `shift` is one of the body itself.
enum class ReloadOption : std::uint8_t {
  num_ctx,
  num_batch,
  num_gpu,
  main_gpu,
  use_mmap,
  num_thread,
  draft_num_predict,
  shift,
};
inline constexpr std::size_t kReloadOptionCount = 8;
constexpr std::string_view name(ReloadOption option) {
  switch (option) {
    case ReloadOption::num_ctx: return "num_ctx";
    case ReloadOption::num_batch: return "num_batch";
    case ReloadOption::num_gpu: return "num_gpu";
    case ReloadOption::main_gpu: return "main_gpu";
    case ReloadOption::use_mmap: return "use_mmap";
    case ReloadOption::num_thread: return "num_thread";
    case ReloadOption::draft_num_predict: return "draft_num_predict";
    case ReloadOption::shift: return "shift";
  }
  return "";
}

struct ReloadSetting {
  ReloadOption option = ReloadOption::num_ctx;
  Span member;  // from its key to the end of its value, without commas
  Span value;
  friend bool operator==(const ReloadSetting&, const ReloadSetting&) = default;
};

// In the order of the body; each at most once, since the scanner refuses duplicates.
class ReloadSettings {
 public:
  std::span<const ReloadSetting> all() const { return {settings_.data(), count_}; }
  const ReloadSetting* find(ReloadOption option) const;
  void add(const ReloadSetting& setting) { settings_[count_++] = setting; }
  friend bool operator==(const ReloadSettings& a, const ReloadSettings& b);

 private:
  std::array<ReloadSetting, kReloadOptionCount> settings_{};
  std::size_t count_ = 0;
};

// Of a body that the scanner accepted. No allocation but for a model name above 15 bytes and a prompt above 2 KiB.
struct Understood {
  // `model`, or `name` on /api/show when `model` is absent or empty. Unescaped: printable, at most 256 bytes. Empty
  // when absent; `model_value.length` then tells "" from absent.
  std::string model;
  Span model_key;    // with its quotes, so that a case variant can be respelled
  Span model_value;  // with its quotes

  Switch stream = Switch::absent;
  Switch include_usage = Switch::absent;  // stream_options.include_usage
  Switch verbose = Switch::absent;        // of show
  KeepAlive keep_alive = KeepAlive::absent;
  Span keep_alive_value;

  Member prompt;
  Member messages;
  Member input;
  Member options;
  Member tools;
  Member format;
  Member system;
  Member template_text;
  PromptHashes prompt_hashes;
  bool has_images = false;  // images of a prompt or of a message, in either dialect's form

  // Empty on OpenAI's routes, where nodes ignore options; so are `options` and `keep_alive`.
  ReloadSettings reload;

  bool has_tools() const { return tools.filled(); }
  friend bool operator==(const Understood&, const Understood&) = default;
};

}  // namespace drover::api
