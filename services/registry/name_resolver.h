// Which municipality people mean by a text. Never guesses: a wrong match is worse than none.
//
// A text is read as one name where it can be ("Mook en Middelaar"), else as several between separators ("Aalsmeer/Amstelveen"). A
// misspelled name is mended only when one municipality, existing or former, is near and no other municipality, place, region or province is
// as near, and when the text is no word or name of its own ("test" is not Best, "Haarle" is not Haarlem). How near: one error in names of
// five letters or more, two in those of nine or more; "y" for "ij" is none. In short names and with two errors the first letter must be
// right.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/registry/municipality_catalog.h"
#include "services/registry/near_names.h"
#include "services/registry/reference_data.h"
#include "services/registry/spelling.h"

namespace peiling::registry {

// Immutable, so thread-safe.
class NameResolver {
 public:
  // The catalog must outlive the resolver. FAILED_PRECONDITION/REFERENCE_DATA_BROKEN when a name means two municipalities at a time and is
  // not marked ambiguous.
  static absl::StatusOr<std::unique_ptr<NameResolver>> Make(const ReferenceData& data, const MunicipalityCatalog& catalog);

  // The text as of a date, YYYY-MM-DD. Any text gets an answer, long and broken ones UNKNOWN.
  v1::Resolution Resolve(std::string_view text, std::string_view as_of) const;

 private:
  // What a name stands for: municipalities at different times, or, when ambiguous, at the same time.
  struct Meaning {
    std::vector<const v1::Municipality*> municipalities;
    bool ambiguous = false;
    bool operator==(const Meaning&) const = default;
  };

  // How some words were understood.
  struct Reading {
    enum class Kind { kNothing, kMeaning, kAnother };
    Kind kind = Kind::kNothing;
    Meaning meaning;
    // Whether a misspelling was mended.
    bool mended = false;
    // Why it is no municipality (kAnother), in Dutch.
    std::string why;
    // The place in the text.
    size_t begin = 0;
    size_t end = 0;
    // What stands before it.
    Separator before = Separator::kSpace;
  };

  NameResolver(const ReferenceData& data, const MunicipalityCatalog& catalog);

  // A name as it is compared when misspelled.
  struct NearName {
    std::string sound;
    Meaning meaning;
  };

  void AddName(std::string_view text, Meaning meaning);
  void AddKey(const std::string& key, const Meaning& meaning);
  void IndexNearNames();
  absl::Status Check() const;

  Reading ReadExact(std::span<const Word> words) const;
  Reading ReadMended(std::span<const Word> words) const;
  // Reads parts one after the other, each name taking up to three; empty when one of them is no municipality.
  std::vector<Reading> ReadJoint(std::span<const Part> parts, bool mend) const;
  bool ReadFrom(std::span<const Part> parts, size_t from, bool mend, std::vector<bool>& dead, std::vector<Reading>& read) const;
  // Whether the names need not be meant together: one is in parentheses, or may be the province of the other.
  bool AreApart(const std::vector<Reading>& readings) const;

  // With or without a needless article.
  std::optional<Meaning> FindName(std::span<const Word> words) const;
  std::optional<Meaning> FindNear(const std::string& key) const;
  // Whether a province behind a name may be a municipality of its own: "Zwolle, Groningen".
  bool CouldBeSecondName(std::span<const Word> province) const;
  static Meaning Within(Meaning meaning, const std::string& province);
  static bool MayBeMended(const std::string& text, const std::string& name, int errors);

  const MunicipalityCatalog& catalog_;
  const Spelling spelling_;
  // By joined words.
  absl::flat_hash_map<std::string, Meaning> names_;
  // Joined words → why it is no municipality, in Dutch.
  absl::flat_hash_map<std::string, std::string> other_names_;
  absl::flat_hash_set<std::string> words_;
  // Ids are places in near_names_; kOther: a name of something else.
  NearNames near_;
  std::vector<NearName> near_names_;
};

}  // namespace peiling::registry
