#include "load/answer_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace drover::bench {
namespace {

constexpr std::size_t kShown = 60;  // bytes of a difference
constexpr std::size_t kLongestAnswer = 64 * 1024;

}  // namespace

void AnswerCheck::begin(const Tag& tag, BodySeen body) {
  tag_ = tag;
  body_ = body;
  piece_ = 0;
  offset_ = 0;
  chunk_ended_ = false;
  loose_.clear();
  fault_.clear();
}

const Piece& AnswerCheck::piece() const {
  if (tag_.chunks == 0) return lines_->whole;
  return piece_ < tag_.chunks ? lines_->chunk : lines_->last;
}

// Takes from the front of `part` what belongs to the piece that is coming.
bool AnswerCheck::take(std::string_view& part) {
  chunk_ended_ = false;
  if (leniency_.any_answer) return take_echoes(part);
  if (complete()) {
    fault_ = fmt::format("{} bytes behind the end: {:?}", part.size(), part.substr(0, kShown));
    return false;
  }
  const Piece& now = piece();
  std::array<char, kLongestPiece> expected;
  now.write({.id = tag_.id, .sequence = piece_, .body = body_}, expected.data());
  const std::string_view got = part.substr(0, now.size() - offset_);
  if (!same(got, expected.data() + offset_, now)) {
    const std::string_view wanted(expected.data() + offset_, got.size());
    fault_ = fmt::format("piece {} from byte {}: got {:?}, expected {:?}", piece_, offset_, got.substr(0, 300),
                         wanted.substr(0, 300));
    return false;
  }
  part.remove_prefix(got.size());
  offset_ += got.size();
  if (offset_ == now.size()) {
    chunk_ended_ = now.stamp().to > 0;
    ++piece_;
    offset_ = 0;
  }
  return true;
}

// All but what cannot be known before: the stamp, whose digits are read instead, or the body that a router wrote anew.
bool AnswerCheck::same(std::string_view got, const char* expected, const Piece& piece) {
  Piece::Place open = piece.stamp();
  const bool is_stamp = open.to > 0;
  if (!is_stamp && leniency_.any_body) open = piece.body();
  const std::size_t end = offset_ + got.size();
  const std::size_t from = std::clamp(open.from, offset_, end) - offset_,
                    to = std::clamp(open.to, offset_, end) - offset_;
  if (is_stamp && from < to) {
    const auto value = read_hex(got.substr(from, to - from));
    if (!value) return false;
    stamp_ = (offset_ + from == open.from ? 0 : stamp_) << (4 * (to - from)) | *value;
  }
  return std::memcmp(got.data(), expected, from) == 0 &&
         std::memcmp(got.data() + to, expected + to, got.size() - to) == 0;
}

// Up to the next echo: its number and place, and behind them the stamp.
bool AnswerCheck::take_echoes(std::string_view& part) {
  constexpr std::size_t kStampWidth = Piece::kStampWidth;
  loose_ += part.substr(0, kLongestAnswer);
  part.remove_prefix(std::min(part.size(), kLongestAnswer));
  while (!complete()) {
    const bool is_chunk = piece_ < tag_.chunks;
    const std::string echo = tag_.chunks == 0 ? fmt::format("{:05x} ", tag_.id & 0xfffff)
                                              : fmt::format("{:05x}{:04x}", tag_.id & 0xfffff, piece_ & 0xffff);
    const auto at = loose_.find(echo);
    if (at == std::string::npos || loose_.size() < at + echo.size() + kStampWidth) break;
    stamp_ = read_hex(loose_.substr(at + echo.size(), kStampWidth)).value_or(0);
    chunk_ended_ = is_chunk;
    loose_.erase(0, at + echo.size());
    ++piece_;
    if (is_chunk) return true;
  }
  if (complete()) loose_.clear();
  if (loose_.size() <= kLongestAnswer) return true;
  fault_ = fmt::format("no echo of piece {} in {} bytes", piece_, loose_.size());
  return false;
}

std::string AnswerCheck::fault() const { return fmt::format("request {:x}: {}", tag_.id, fault_); }

}  // namespace drover::bench
