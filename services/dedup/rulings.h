// The rulings of a wave: which stand, what they say about a response, and which say the opposite of each other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "peiling/dedup/v1/dedup.pb.h"

namespace peiling::dedup {

// Immutable; pointers live as long as it does. Of several standing rulings that say the same, the earliest is given.
class Rulings {
 public:
  // In the order they were made, retracted ones too.
  explicit Rulings(std::vector<v1::Ruling> rulings = {});
  Rulings(const Rulings&) = delete;
  Rulings& operator=(const Rulings&) = delete;

  // All, in the order they were made.
  const std::vector<v1::Ruling>& all() const { return rulings_; }

  // Each gives the standing ruling, or null when there is none.
  // For which municipalities the response is (assign or split).
  const v1::Ruling* Assignment(const std::string& response) const;
  // That it does not count.
  const v1::Ruling* Exclusion(const std::string& response) const;
  // That it is the one to keep for a municipality.
  const v1::Ruling* Keep(const std::string& response, const std::string& municipality_code) const;

  // A standing ruling that `candidate` cannot stand beside: it gives the same response other municipalities (assign and split are one
  // kind), or keeps another response for the same municipality. Null when there is none.
  const v1::Ruling* Conflict(const v1::Ruling& candidate) const;

 private:
  template <typename Predicate>
  const v1::Ruling* FindStanding(const std::string& response, Predicate predicate) const;

  const std::vector<v1::Ruling> rulings_;
  std::multimap<std::string, const v1::Ruling*> standing_by_response_;
  std::map<std::string, const v1::Ruling*> standing_keeps_;  // By municipality.
};

// The municipalities an assign or split ruling names, sorted, each once.
std::vector<std::string> AssignedCodes(const v1::Ruling& ruling);

}  // namespace peiling::dedup
