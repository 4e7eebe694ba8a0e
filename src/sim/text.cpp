#include "sim/text.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/random.h"

namespace drover::sim {
namespace {

constexpr std::size_t kLongestPiece = 6;

bool is_letter(char c) { return ascii::is_alnum(c) || static_cast<unsigned char>(c) >= 0x80; }
bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_mark(char c) { return c == '.' || c == ',' || c == '!' || c == '?' || c == ';' || c == ':'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

constexpr std::array<std::string_view, 16> kOnsets{"b", "d", "f", "g", "k", "l", "m",  "n",
                                                   "p", "r", "s", "t", "v", "w", "st", "th"};
constexpr std::array<std::string_view, 8> kVowels{"a", "e", "i", "o", "u", "ea", "ai", "o"};
constexpr std::array<std::string_view, 8> kEnds{"", "", "n", "r", "s", "l", "", "t"};

// One or two syllables; at most six letters.
std::string word(std::uint64_t number) {
  Random random(number);
  std::string text;
  text += kOnsets[random.below(kOnsets.size())];
  text += kVowels[random.below(kVowels.size())];
  if (random.chance(0.5)) {
    text += kOnsets[random.below(14)];
    text += "aeiou"[random.below(5)];
  }
  text += kEnds[random.below(kEnds.size())];
  if (text.size() > kLongestPiece) text.resize(kLongestPiece);
  return text;
}

constexpr std::uint64_t kSentence = 11;  // words

}  // namespace

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  // FNV-1a, then mixed, since the low bits of FNV alone are poor.
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return Random(hash).next();
}

std::string hex_digest(std::string_view text) {
  Random random(hash_text(text));
  std::string digest;
  for (int i = 0; i < 4; ++i) digest += fmt::format("{:016x}", random.next());
  return digest;
}

std::vector<std::string_view> tokenise(std::string_view text) {
  std::vector<std::string_view> tokens;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t start = at;
    if (is_blank(text[at]) && at + 1 < text.size()) ++at;
    std::size_t letters = 0;
    while (at < text.size() && is_letter(text[at]) && (letters < kLongestPiece || is_continuation(text[at]))) {
      ++at;
      ++letters;
    }
    const bool marked = at < text.size() && is_mark(text[at]);
    if (letters == 0 || marked) ++at;
    tokens.push_back(text.substr(start, at - start));
  }
  return tokens;
}

engine::Sequence token_hashes(std::string_view text) {
  engine::Sequence hashes;
  hashes.reserve(text.size() / 4);
  for (const std::string_view token : tokenise(text)) hashes.emplace_back(token_hash(token));
  return hashes;
}

std::int64_t token_number(engine::TokenHash hash) { return static_cast<std::int64_t>(hash % 128'000); }

std::string Babble::token(std::uint64_t index) const {
  std::string text = word(Random(seed_ ^ (index * 0x9e3779b97f4a7c15ULL)).next());
  if (index % kSentence == 0) text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (index % kSentence == kSentence - 1) text += '.';
  return index == 0 ? text : ' ' + text;
}

std::string Babble::text(std::uint64_t tokens) const {
  std::string text;
  for (std::uint64_t i = 0; i < tokens; ++i) text += token(i);
  return text;
}

std::vector<float> embedding(std::uint64_t seed, std::string_view weights, std::string_view text, std::uint32_t size) {
  Random random(hash_text(text, hash_text(weights, seed)));
  std::vector<double> raw(size);
  double square = 0;
  for (double& each : raw) {
    each = random.uniform() * 2 - 1;
    square += each * each;
  }
  const double length = square > 0 ? std::sqrt(square) : 1;
  std::vector<float> vector;
  vector.reserve(size);
  for (const double each : raw) vector.push_back(static_cast<float>(each / length));
  return vector;
}

}  // namespace drover::sim
