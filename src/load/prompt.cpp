#include "load/prompt.h"

#include <array>
#include <string_view>

#include "base/random.h"

namespace drover::load {
namespace {

constexpr std::size_t kWords = 256;
constexpr std::array<std::string_view, kWords> kVocabulary{
    "time",   "year",   "people", "way",    "day",    "man",    "thing",  "woman",  "life",   "child",  "world",
    "school", "state",  "family", "group",  "hand",   "part",   "place",  "case",   "week",   "work",   "point",
    "home",   "water",  "room",   "mother", "area",   "money",  "story",  "fact",   "month",  "lot",    "right",
    "study",  "book",   "eye",    "job",    "word",   "side",   "kind",   "head",   "house",  "friend", "father",
    "power",  "hour",   "game",   "line",   "end",    "member", "law",    "car",    "city",   "name",   "team",
    "minute", "idea",   "body",   "back",   "parent", "face",   "others", "level",  "office", "door",   "health",
    "person", "art",    "war",    "party",  "result", "change", "reason", "girl",   "guy",    "moment", "air",
    "force",  "boy",    "age",    "policy", "music",  "market", "sense",  "nation", "plan",   "death",  "wall",
    "class",  "field",  "road",   "source", "food",   "plant",  "summer", "winter", "spring", "autumn", "river",
    "ocean",  "lake",   "forest", "tree",   "flower", "garden", "bird",   "horse",  "dog",    "cat",    "fish",
    "stone",  "metal",  "paper",  "glass",  "wood",   "fire",   "light",  "sound",  "voice",  "song",   "dance",
    "movie",  "photo",  "letter", "number", "color",  "shape",  "size",   "weight", "speed",  "price",  "cost",
    "value",  "trade",  "bank",   "store",  "shop",   "street", "bridge", "train",  "plane",  "ship",   "boat",
    "table",  "chair",  "window", "floor",  "bread",  "milk",   "fruit",  "sugar",  "salt",   "coffee", "tea",
    "lunch",  "dinner", "night",  "dawn",   "noon",   "hill",   "valley", "island", "desert", "north",  "south",
    "east",   "west",   "left",   "front",  "middle", "center", "corner", "edge",   "top",    "bottom", "inside",
    "circle", "square", "ring",   "ball",   "box",    "bag",    "cup",    "plate",  "knife",  "spoon",  "shirt",
    "coat",   "shoe",   "hat",    "dress",  "belt",   "watch",  "clock",  "phone",  "radio",  "screen", "camera",
    "engine", "wheel",  "motor",  "tool",   "hammer", "nail",   "rope",   "chain",  "cloud",  "rain",   "snow",
    "wind",   "storm",  "sun",    "moon",   "star",   "earth",  "sky",    "sea",    "land",   "grass",  "seed",
    "leaf",   "root",   "branch", "big",    "small",  "long",   "short",  "young",  "old",    "early",  "late",
    "hard",   "easy",   "high",   "low",    "strong", "weak",   "warm",   "cold",   "fast",   "slow",   "new",
    "good",   "bad",    "best",   "great",  "little", "full",   "empty",  "open",   "free",   "clear",  "dark",
    "bright", "deep",   "wide"};

void append_words(std::string& text, std::uint64_t count, Random random) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!text.empty()) text += ' ';
    text += kVocabulary[random.below(kWords)];
  }
}

}  // namespace

std::string prompt_text(const traces::Request& request, std::uint64_t number, std::uint64_t seed) {
  std::string text;
  text.reserve(request.prompt.value * 6);
  std::uint64_t left = request.prompt.value;
  for (const traces::BlockId block : request.blocks) {
    const std::uint64_t words = std::min(left, request.block_tokens.value);
    append_words(text, words, Random(seed).split(block));
    left -= words;
  }
  // Behind another seed, so that no number is a block.
  append_words(text, left, Random(~seed).split(number));
  return text;
}

}  // namespace drover::load
