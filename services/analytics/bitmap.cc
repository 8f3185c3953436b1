#include "services/analytics/bitmap.h"

#include <algorithm>

namespace peiling::analytics {

void Bitmap::Set(size_t bit) {
  if (bit / 64 >= words_.size()) words_.resize(bit / 64 + 1);
  words_[bit / 64] |= uint64_t{1} << (bit % 64);
}

void Bitmap::Clear(size_t bit) {
  if (bit / 64 < words_.size()) words_[bit / 64] &= ~(uint64_t{1} << (bit % 64));
}

void Bitmap::SetWords(size_t first_word, const uint64_t* words, size_t count) {
  if (words_.size() < first_word + count) words_.resize(first_word + count);
  std::copy_n(words, count, words_.begin() + static_cast<ptrdiff_t>(first_word));
}

int64_t Bitmap::Count() const {
  int64_t count = 0;
  for (const uint64_t word : words_) count += std::popcount(word);
  return count;
}

Bitmap& Bitmap::operator&=(const Bitmap& other) {
  if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
  for (size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  return *this;
}

Bitmap& Bitmap::operator|=(const Bitmap& other) {
  if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
  for (size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  return *this;
}

Bitmap& Bitmap::AndNot(const Bitmap& other) {
  const size_t shared = std::min(words_.size(), other.words_.size());
  for (size_t i = 0; i < shared; ++i) words_[i] &= ~other.words_[i];
  return *this;
}

bool Bitmap::operator==(const Bitmap& other) const {
  const size_t shared = std::min(words_.size(), other.words_.size());
  const auto zero = [](uint64_t word) { return word == 0; };
  return std::equal(words_.begin(), words_.begin() + shared, other.words_.begin()) &&
         std::all_of(words_.begin() + shared, words_.end(), zero) && std::all_of(other.words_.begin() + shared, other.words_.end(), zero);
}

int64_t CountAnd(const Bitmap& a, const Bitmap& b) {
  const size_t shared = std::min(a.words().size(), b.words().size());
  const uint64_t* left = a.words().data();
  const uint64_t* right = b.words().data();
  int64_t count = 0;
  for (size_t i = 0; i < shared; ++i) count += std::popcount(left[i] & right[i]);
  return count;
}

}  // namespace peiling::analytics
