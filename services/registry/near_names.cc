#include "services/registry/near_names.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

namespace peiling::registry {
namespace {

// Longer texts are no misspelled names.
constexpr size_t kMaxLength = 64;

// Which letters occur: one error changes at most two of these bits.
uint32_t Letters(std::string_view text) {
  uint32_t letters = 0;
  for (char c : text) letters |= c >= 'a' && c <= 'z' ? 1u << (c - 'a') : 1u << 26;
  return letters;
}

}  // namespace

int EditDistance(std::string_view a, std::string_view b, int limit) {
  const int over = limit + 1;
  if (a.size() > kMaxLength || b.size() > kMaxLength) return over;
  if (std::abs(static_cast<int>(a.size()) - static_cast<int>(b.size())) > limit) return over;
  // Three rows of the usual table: before last, last, this.
  std::array<std::array<int, kMaxLength + 1>, 3> rows;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& last = rows[(i + 2) % 3];
    const auto& before_last = rows[(i + 1) % 3];
    int least = row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before_last[j - 2] + 1);
      least = std::min(least, row[j]);
    }
    // A swap looks two rows back, so one row over the limit is not the end yet unless it is over by more.
    if (least > over) return over;
  }
  return std::min(rows[a.size() % 3][b.size()], over);
}

void NearNames::Add(std::string_view name, int id) {
  if (name.size() > kMaxLength) return;
  if (by_length_.size() <= name.size()) by_length_.resize(name.size() + 1);
  Bucket& bucket = by_length_[name.size()];
  bucket.letters.push_back(Letters(name));
  bucket.names.emplace_back(name);
  bucket.ids.push_back(id);
}

void NearNames::Find(std::string_view text, int limit, std::vector<Near>& found) const {
  const uint32_t letters = Letters(text);
  const size_t margin = static_cast<size_t>(limit);
  const size_t first = text.size() > margin ? text.size() - margin : 0;
  for (size_t length = first; length <= text.size() + margin && length < by_length_.size(); ++length) {
    const Bucket& bucket = by_length_[length];
    for (size_t i = 0; i < bucket.letters.size(); ++i) {
      if (std::popcount(bucket.letters[i] ^ letters) > 2 * limit) continue;
      const int distance = EditDistance(text, bucket.names[i], limit);
      if (distance <= limit) found.push_back({.id = bucket.ids[i], .distance = distance});
    }
  }
}

}  // namespace peiling::registry
