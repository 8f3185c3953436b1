// Names a few typing errors away from a text. A scan over all names, most of which are ruled out by their length and letters alone: for
// some thousand names that is as fast as an index of misspellings, and a hundredth of its size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peiling::registry {

// Letters put in, left out, changed, or two neighbours swapped, each counting one; limit + 1 when it is more than `limit`.
int EditDistance(std::string_view a, std::string_view b, int limit);

// Not thread-safe while names are added, thread-safe after.
class NearNames {
 public:
  struct Near {
    int id;
    int distance;
  };

  void Add(std::string_view name, int id);

  // Appends every name at most `limit` away, in no order.
  void Find(std::string_view text, int limit, std::vector<Near>& found) const;

 private:
  // Names of one length, with what is scanned kept together.
  struct Bucket {
    std::vector<uint32_t> letters;
    std::vector<std::string> names;
    std::vector<int> ids;
  };

  std::vector<Bucket> by_length_;
};

}  // namespace peiling::registry
