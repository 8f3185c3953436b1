// What an etag of a draft says: which of its revisions the caller knows. Revisions are the versions of the draft's document, from 1.
//
//   r12            the draft as it was read, or all that was saved in it up to revision 12 by the caller
//   r12+14+16-20   that, and what the caller saved itself since: revisions 14 and 16 to 20, but not what others did in 13 and 15
//
// The etag itself carries what is known, not the store, so that it holds for one page of one browser, whoever else has the same link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peiling::intake {

// Of the draft as it stands in this revision: "r12".
std::string DraftEtag(uint64_t revision);
// Of such an etag; 0 of every other text.
uint64_t RevisionOf(const std::string& etag);

class KnownRevisions {
 public:
  // Nothing but that the draft was made, which is the first revision and answers no question that can be saved.
  KnownRevisions() = default;
  // nullopt when it is no etag. Empty: as above.
  static std::optional<KnownRevisions> Parse(std::string_view etag);

  bool Knows(uint64_t revision) const;
  // Whether all there was up to this revision is known.
  bool KnowsAll(uint64_t revision) const { return runs_.size() == 1 && runs_.front().last >= revision; }
  // The latest that is known.
  uint64_t last() const { return runs_.back().last; }
  // That the caller made a revision, which is later than all that are known. Of the caller's own that lie apart the oldest are forgotten
  // beyond so many that the etag stays short: it then finds conflicts with what it said itself, but overwrites nothing.
  void Add(uint64_t revision);

  std::string Etag() const;

 private:
  // From and to, inclusive.
  struct Run {
    uint64_t first = 1;
    uint64_t last = 1;
  };

  // Apart from each other, by revision; the first begins at 1.
  std::vector<Run> runs_ = {Run{}};
};

}  // namespace peiling::intake
