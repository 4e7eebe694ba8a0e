#pragma once
// Finds in a request's body what routing needs, in one pass, as the bytes arrive: no document, no second copy.
//
// Keys match as Go's decoder matches them (after unescaping, without regard to case, `ſ` as s and the Kelvin sign as
// k), so that gateway and node cannot read one body in two ways. Stricter than Go on purpose: a routing key that
// appears twice, invalid UTF-8, anything behind the document, nesting deeper than 64 and a body that is no object are
// refused (rows 65, 66, 68, 70 and 77 of the fault matrix).

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "api/dialect.h"
#include "api/json_reader.h"
#include "api/prompt_chain.h"
#include "api/route.h"
#include "api/understood.h"

namespace drover::api {

inline constexpr std::size_t kMaxModelBytes = 256;

// Thread: one request's. Cost: O(bytes), about 0.3 ns a byte of chat messages. Memory: 2 KiB, and the hashes of long
// prompts.
class BodyScanner final : private JsonListener {
 public:
  // The route decides the words of refusals, and whether `name` may stand for `model`.
  explicit BodyScanner(Route route) : route_(route) {}

  // The next piece, of any size; nothing of it is kept. False: the body is refused already, and the rest of it need not
  // come; refusal() says why.
  bool feed(std::string_view piece);
  const std::optional<Refusal>& refusal() const { return refusal_; }

  // The body has ended. Once only. Refusals: json, json_depth, duplicate_key, invalid_model, all with status 400 and,
  // where Go would refuse too, Go's words. A model that is absent or empty is no refusal here: api/model_refusal.h.
  std::expected<Understood, Refusal> finish();

 private:
  // The objects and arrays whose members matter to us; others are skipped.
  enum class Context : std::uint8_t {
    outside,
    body,            // the document itself
    options,         // body.options
    stream_options,  // body.stream_options
    messages,        // body.messages[]
    message,         // body.messages[]{}
    content,         // body.messages[]{}.content[]
    part,            // body.messages[]{}.content[]{}
    media,           // body.messages[]{}.content[]{}.image_url and its like
    images,          // body.images[] and body.messages[]{}.images[]
  };
  enum class Key : std::uint8_t;  // the members that matter

  // A container of interest that is open, and the member of it that is being read.
  struct Frame {
    Context context = Context::outside;
    Key key{};
    ReloadOption option{};  // which one, if key says that it is one
    Span key_span{};
  };

  bool opened(JsonKind kind) override;
  void closed() override { --depth_; }
  bool key(const JsonText& key, Span span) override;
  void value(const JsonValue& value) override;
  bool wants_raw() override;
  void raw(std::string_view bytes, bool last) override;

  static Key find_key(Context context, std::string_view text);
  Frame& frame() { return frames_[depth_]; }
  bool body_key(Key key, std::string_view text);
  void body_value(const JsonValue& value);
  void take_model(const JsonValue& value, std::string& model, Span& key_span, Span& value_span);
  void add_reload(ReloadOption option, Span value);
  void refuse_not_object(JsonKind kind);
  void refuse_twice(std::string_view key);
  void deny(Reason reason, std::string message);

  Route route_;
  JsonReader reader_;
  std::size_t depth_ = 0;
  std::array<Frame, 7> frames_;     // frames_[depth_] is the innermost container of interest; frames_[0] the outside
  std::uint64_t seen_ = 0;          // one bit for each Key of the body
  std::uint32_t seen_options_ = 0;  // one bit for each ReloadOption inside `options`
  std::string name_;                // of show: stands for an empty model
  Span name_key_;
  Span name_value_;
  PromptChain chain_;
  bool raw_is_image_ = false;
  Understood understood_;
  std::optional<Refusal> refusal_;
};

}  // namespace drover::api
