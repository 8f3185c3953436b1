// Positions by code, for codes that mostly come in order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace peiling::survey {

class CodeIndex {
 public:
  // Of codes that stand there twice, the first counts.
  void Add(const std::string& code);
  size_t size() const { return codes_.size(); }

  // -1 when it is not there. A few positions from `hint` on are tried first: codes come in the order of the questionnaire, with gaps, and
  // comparing short texts that lie side by side is cheaper than a look-up.
  int Find(std::string_view code, int hint = 0) const {
    const uint64_t key = KeyOf(code);
    const size_t begin = std::min(static_cast<size_t>(std::max(hint, 0)), codes_.size());
    const uint64_t* const keys = keys_.data() + begin;
    if (keys[0] == key && IsAt(begin, code)) return static_cast<int>(begin);
    // All of them, whichever it is: which option somebody chose cannot be foreseen, and a wrong guess costs more than the comparisons.
    unsigned nearby = 0;
    for (size_t i = 1; i < kNearby; ++i) nearby |= static_cast<unsigned>(keys[i] == key) << i;
    if (nearby != 0 && IsAt(begin + std::countr_zero(nearby), code)) return static_cast<int>(begin + std::countr_zero(nearby));
    return FindFar(code);
  }

 private:
  static constexpr size_t kNearby = 8;
  static constexpr size_t kWholeBytes = 7;
  // The key of no code.
  static constexpr uint64_t kNone = ~uint64_t{0};

  // What codes are compared by first; codes of up to seven bytes are told apart by it. Reads parts that may overlap, since copying byte by
  // byte is slow.
  static uint64_t KeyOf(std::string_view code) {
    const char* const data = code.data();
    const size_t size = code.size();
    uint64_t key = 0;
    if (size > kWholeBytes) {
      uint64_t first, last;
      std::memcpy(&first, data, sizeof(first));
      std::memcpy(&last, data + size - sizeof(last), sizeof(last));
      key = (first ^ (last * 0x9E3779B97F4A7C15)) >> 8;
    } else if (size >= sizeof(uint32_t)) {
      uint32_t first, last;
      std::memcpy(&first, data, sizeof(first));
      std::memcpy(&last, data + size - sizeof(last), sizeof(last));
      key = first | (static_cast<uint64_t>(last) << (8 * (size - sizeof(last))));
    } else if (size > 0) {
      const auto byte = [data](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(data[i])); };
      key = byte(0) | (byte(size / 2) << 8) | (byte(size - 1) << 16);
    }
    return key | (static_cast<uint64_t>(std::min(size, kWholeBytes + 1)) << 56);
  }
  // Whether the code stands at a position whose key is the code's.
  bool IsAt(size_t position, std::string_view code) const { return code.size() <= kWholeBytes || codes_[position] == code; }
  int FindFar(std::string_view code) const;

  // By position, and after the last so many that belong to none, so that there are always enough to look at.
  std::vector<uint64_t> keys_ = std::vector<uint64_t>(kNearby, kNone);
  std::vector<std::string> codes_;
  absl::flat_hash_map<std::string, int> positions_;
};

}  // namespace peiling::survey
