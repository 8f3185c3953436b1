// Positions by code, for codes that mostly come in order.
#pragma once

#include <algorithm>
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
    const Key key = KeyOf(code);
    const int begin = hint > 0 ? hint : 0;
    const int end = std::min(begin + kNearby, static_cast<int>(keys_.size()));
    for (int i = begin; i < end; ++i) {
      if (keys_[i] == key && (key.size <= sizeof(key.bytes) || codes_[i] == code)) return i;
    }
    return FindFar(code);
  }

 private:
  static constexpr int kNearby = 8;

  // What codes are compared by first: for codes of up to eight bytes it is the whole of them.
  struct Key {
    uint64_t bytes = 0;
    size_t size = 0;
    bool operator==(const Key&) const = default;
  };
  static Key KeyOf(std::string_view code) {
    Key key{0, code.size()};
    if (code.size() >= sizeof(key.bytes)) {
      std::memcpy(&key.bytes, code.data(), sizeof(key.bytes));
    } else if (code.size() >= sizeof(uint32_t)) {
      // Two halves that may overlap, so that there is no copying byte by byte.
      uint32_t first, last;
      std::memcpy(&first, code.data(), sizeof(first));
      std::memcpy(&last, code.data() + code.size() - sizeof(last), sizeof(last));
      key.bytes = first | (static_cast<uint64_t>(last) << 32);
    } else {
      for (const char c : code) key.bytes = (key.bytes << 8) | static_cast<unsigned char>(c);
    }
    return key;
  }
  int FindFar(std::string_view code) const;

  std::vector<Key> keys_;
  std::vector<std::string> codes_;
  absl::flat_hash_map<std::string, int> positions_;
};

}  // namespace peiling::survey
