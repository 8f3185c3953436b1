// Bitmaps over records: one bit for each, in dense words of 64.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace peiling::analytics {

// A set of small whole numbers. Only as long as its largest member ever needed, so bits beyond the end are simply not set, and it grows by
// itself. Not thread-safe for writing.
class Bitmap {
 public:
  void Set(size_t bit);
  void Clear(size_t bit);
  // Puts words of 64 where they were; those before and after stay.
  void SetWords(size_t first_word, const uint64_t* words, size_t count);
  bool Test(size_t bit) const { return bit / 64 < words_.size() && ((words_[bit / 64] >> (bit % 64)) & 1) != 0; }

  // Number of members.
  int64_t Count() const;

  Bitmap& operator&=(const Bitmap& other);
  Bitmap& operator|=(const Bitmap& other);
  // Takes the members of `other` out.
  Bitmap& AndNot(const Bitmap& other);

  // Calls `visit(bit)` for every member, ascending.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t word = 0; word < words_.size(); ++word) {
      for (uint64_t rest = words_[word]; rest != 0; rest &= rest - 1) visit(word * 64 + std::countr_zero(rest));
    }
  }

  const std::vector<uint64_t>& words() const { return words_; }
  // Sets with the same members are equal, whatever their lengths.
  bool operator==(const Bitmap& other) const;

 private:
  std::vector<uint64_t> words_;
};

// The number of members two sets share, without building the set.
int64_t CountAnd(const Bitmap& a, const Bitmap& b);

}  // namespace peiling::analytics
