#include "services/common/survey/code_index.h"

#include <algorithm>
#include <cstring>

namespace peiling::survey {

CodeIndex::Key CodeIndex::KeyOf(std::string_view code) {
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

void CodeIndex::Add(const std::string& code) {
  positions_.try_emplace(code, static_cast<int>(codes_.size()));
  keys_.push_back(KeyOf(code));
  codes_.push_back(code);
}

int CodeIndex::Find(std::string_view code, int hint) const {
  constexpr int kNearby = 8;
  const Key key = KeyOf(code);
  const int begin = std::max(hint, 0);
  const int end = std::min(begin + kNearby, static_cast<int>(codes_.size()));
  for (int i = begin; i < end; ++i) {
    if (keys_[i] == key && (key.size <= sizeof(key.bytes) || codes_[i] == code)) return i;
  }
  const auto found = positions_.find(absl::string_view(code.data(), code.size()));
  return found == positions_.end() ? -1 : found->second;
}

}  // namespace peiling::survey
