// Any texts in a line of the access log: one line, which is JSON, whose texts come back, and nothing in it that forges
// or steers.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "observe/access_log.h"

namespace {

using namespace drover;

// The next of the texts that `rest` holds, which blank lines part.
std::string_view take_text(std::string_view& rest) {
  const std::string_view text = rest.substr(0, rest.find("\n\n"));
  rest.remove_prefix(std::min(rest.size(), text.size() + 2));
  return text;
}

bool is_utf8(std::string_view text) { return parse_json(to_text(Json(text)))->get<std::string>() == text; }

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  observe::AccessRecord record;
  record.request_id = take_text(rest);
  record.client = take_text(rest);
  record.method = take_text(rest);
  record.model = take_text(rest);
  record.served_model = take_text(rest);
  record.fell_back_from = take_text(rest);
  record.node = take_text(rest);
  // Numbers of any size.
  record.total = Duration(static_cast<std::int64_t>(std::hash<std::string_view>{}(rest)));
  record.queue = -record.total;
  record.prompt_tokens = static_cast<std::uint64_t>(record.total.count());
  record.time = Wall(record.total);

  std::string line = "before\n";
  const std::size_t begin = line.size();
  observe::append_access_line(line, record);
  CHECK(line.starts_with("before\n") && line.ends_with("}\n"));
  line.erase(0, begin);
  line.pop_back();
  CHECK(std::ranges::none_of(line, is_control));
  for (const auto* mark : {"\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x81\xa6", "\xc2\x9b", "\xef\xbb\xbf"}) {
    CHECK(line.find(mark) == std::string::npos);
  }
  const auto read = parse_json(line);
  CHECK(read.has_value());
  const std::array<std::pair<const char*, std::string_view>, 7> texts{{{"http.request.id", record.request_id},
                                                                       {"source.ip", record.client},
                                                                       {"http.request.method", record.method},
                                                                       {"gen_ai.request.model", record.model},
                                                                       {"gen_ai.response.model", record.served_model},
                                                                       {"drover.fallback", record.fell_back_from},
                                                                       {"drover.node", record.node}}};
  for (const auto& [key, text] : texts) {
    CHECK((member(*read, key) == nullptr) == text.empty());
    if (is_utf8(text)) CHECK(text_at(*read, key) == text);
  }
  return 0;
}
