#include "api/model_name.h"

#include "base/ascii.h"

namespace drover::api {
namespace {

constexpr std::string_view kDefaultHost = "registry.ollama.ai";
constexpr std::string_view kDefaultNamespace = "library";
constexpr std::string_view kDefaultTag = "latest";

// What Go's strings.TrimSpace takes off: ASCII blanks and Unicode's.
constexpr std::string_view kBlanks[] = {
    " ",
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    "\xc2\x85",
    "\xc2\xa0",
    "\xe1\x9a\x80",
    "\xe2\x80\x80",
    "\xe2\x80\x81",
    "\xe2\x80\x82",
    "\xe2\x80\x83",
    "\xe2\x80\x84",
    "\xe2\x80\x85",
    "\xe2\x80\x86",
    "\xe2\x80\x87",
    "\xe2\x80\x88",
    "\xe2\x80\x89",
    "\xe2\x80\x8a",
    "\xe2\x80\xa8",
    "\xe2\x80\xa9",
    "\xe2\x80\xaf",
    "\xe2\x81\x9f",
    "\xe3\x80\x80",
};

// The bytes that blanks begin and end with; nearly every name has none of them at its ends.
bool is_of_blank(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= ' ' || byte >= 0x80;
}

std::string_view trim(std::string_view text) {
  const auto cut_one = [&] {
    if (text.empty() || (!is_of_blank(text.front()) && !is_of_blank(text.back()))) return false;
    for (const std::string_view blank : kBlanks) {
      if (text.starts_with(blank)) return text.remove_prefix(blank.size()), true;
      if (text.ends_with(blank)) return text.remove_suffix(blank.size()), true;
    }
    return false;
  };
  while (cut_one()) {
  }
  return text;
}

bool ends_with_fold(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && ascii::equal_fold(text.substr(text.size() - end.size()), end);
}

// A name taken apart at the suffix that says where to run it; `base` is what is left.
struct Reference {
  std::string_view base;
  ModelSource source = ModelSource::any;
};

Reference split_source(std::string_view name) {
  constexpr std::string_view kCloudTag = "-cloud";
  const auto colon = name.rfind(':');
  if (colon == std::string_view::npos) return {name};
  const std::string_view suffix = trim(name.substr(colon + 1));
  if (ascii::equal_fold(suffix, "cloud")) return {name.substr(0, colon), ModelSource::cloud};
  if (ascii::equal_fold(suffix, "local")) return {name.substr(0, colon), ModelSource::local};
  if (ends_with_fold(suffix, kCloudTag) && suffix.find('/') == std::string_view::npos) {
    return {name.substr(0, name.size() - kCloudTag.size()), ModelSource::cloud};
  }
  return {name};
}

Reference reference(std::string_view name) {
  Reference outer = split_source(trim(name));
  const bool twice = outer.source != ModelSource::any && split_source(outer.base).source != ModelSource::any;
  if (twice) outer.source = ModelSource::conflict;
  return outer;
}

enum class Part : std::uint8_t { host, name_space, model, tag };

bool is_word(char c) { return ascii::is_alnum(c) || c == '_'; }

bool is_valid(Part part, std::string_view text) {
  const std::size_t longest = part == Part::host ? 350 : 80;
  if (text.empty() || text.size() > longest || !is_word(text.front())) return false;
  for (const char c : text) {
    if (is_word(c) || c == '-') continue;
    if (c == '.' && part != Part::name_space) continue;
    if (c == ':' && part == Part::host) continue;
    return false;
  }
  return true;
}

// Takes what follows the last `separator` off `text`; nullopt if there is none.
std::optional<std::string_view> cut_last(std::string_view& text, char separator) {
  const auto at = text.rfind(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view last = text.substr(at + 1);
  text = text.substr(0, at);
  return last;
}

}  // namespace

ModelSource source_of(std::string_view name) { return reference(name).source; }

bool is_cloud_name(std::string_view name) {
  const ModelSource source = source_of(name);
  return source == ModelSource::cloud || source == ModelSource::conflict;
}

std::string ModelName::key() const {
  return ascii::lower(host) + '/' + ascii::lower(name_space) + '/' + ascii::lower(model) + ':' + ascii::lower(tag);
}

std::string ModelName::display() const {
  std::string text;
  if (!ascii::equal_fold(host, kDefaultHost)) {
    text = host + '/' + name_space + '/';
  } else if (!ascii::equal_fold(name_space, kDefaultNamespace)) {
    text = name_space + '/';
  }
  return text + model + ':' + tag;
}

std::optional<ModelName> parse_model_name(std::string_view name) {
  const Reference parsed = reference(name);
  if (parsed.source == ModelSource::conflict) return std::nullopt;
  // Cloud models are listed with their suffix, so it is part of their name.
  std::string_view rest = parsed.source == ModelSource::local ? parsed.base : trim(name);
  std::optional<std::string_view> host, name_space, model, tag;
  // A colon before the last slash belongs to a host.
  const auto colon = rest.rfind(':');
  const auto slash = rest.rfind('/');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) tag = cut_last(rest, ':');
  model = cut_last(rest, '/');
  if (!model) {
    model = rest;
  } else {
    name_space = cut_last(rest, '/');
    if (!name_space) {
      name_space = rest;
    } else {
      const auto scheme = rest.find("://");
      host = scheme == std::string_view::npos ? rest : rest.substr(scheme + 3);
    }
  }
  ModelName result{std::string(host.value_or(kDefaultHost)), std::string(name_space.value_or(kDefaultNamespace)),
                   std::string(*model), std::string(tag.value_or(kDefaultTag))};
  if (!is_valid(Part::host, result.host) || !is_valid(Part::name_space, result.name_space) ||
      !is_valid(Part::model, result.model) || !is_valid(Part::tag, result.tag)) {
    return std::nullopt;
  }
  return result;
}

std::string model_key(std::string_view name) {
  const auto parsed = parse_model_name(name);
  return parsed ? parsed->key() : std::string(name);
}

}  // namespace drover::api
