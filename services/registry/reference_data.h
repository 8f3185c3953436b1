// The facts the registry is made of, read once from CSV files and checked thoroughly. See data/SOURCES.md for what each file holds and
// where it is from.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/registry/v1/registry.pb.h"

namespace peiling::registry {

// Another spelling of one or more municipalities.
struct Alias {
  std::string text;
  // Codes it stands for: at different times, or, when `ambiguous`, at the same time.
  std::vector<std::string> codes;
  bool ambiguous = false;
};

// A name or answer that is no municipality.
struct OtherName {
  std::string name;
  // province, country, region, organisation, answer, former (a municipality that ended before the data begins) or place.
  std::string kind;
};

// How people write what goes around a name; all folded (common/text).
struct TypingForm {
  enum class Role {
    // Written so, means `means`: "a d" → "ad"; empty: left out.
    kSame,
    // Says that a municipality is meant: "gemeente".
    kNoise,
    // "de", that may be missing before a name or stand there needlessly.
    kArticle,
    // "van", between noise and name.
    kLink,
    // "provincie", before a province.
    kProvinceWord,
    // Makes the whole something else than a municipality: "regio".
    kWhole,
    // Stands for province `means`: "nh".
    kProvince,
  };
  static constexpr size_t kRoles = 7;
  std::vector<std::string> written;
  Role role = Role::kSame;
  std::string means;
};

struct ReferenceData {
  // By code; everything but `name`'s facts on a date is set.
  std::vector<v1::Municipality> municipalities;
  std::vector<Alias> aliases;
  std::vector<OtherName> other_names;
  // Dutch words and proper names a typing error away from a municipality.
  std::vector<std::string> words;
  std::vector<TypingForm> typing_forms;
};

// Reads and checks a folder. FAILED_PRECONDITION/REFERENCE_DATA_BROKEN with every problem as "file:line: what", at most 15 of them: missing
// files and columns, unknown codes, bad dates and numbers, doubles, successors that did not exist, names that mean two municipalities at a
// time.
absl::StatusOr<ReferenceData> LoadReferenceData(const std::string& folder);

// Where the data is when nobody says so: the source tree it was built from, else ../share/peiling/registry beside the program.
std::string DefaultDataFolder();

}  // namespace peiling::registry
