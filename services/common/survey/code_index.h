// Positions by code, for codes that mostly come in order.
#pragma once

#include <cstdint>
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
  int Find(std::string_view code, int hint = 0) const;

 private:
  // What codes are compared by first: for codes of up to eight bytes it is the whole of them.
  struct Key {
    uint64_t bytes = 0;
    size_t size = 0;
    bool operator==(const Key&) const = default;
  };
  static Key KeyOf(std::string_view code);

  std::vector<Key> keys_;
  std::vector<std::string> codes_;
  absl::flat_hash_map<std::string, int> positions_;
};

}  // namespace peiling::survey
