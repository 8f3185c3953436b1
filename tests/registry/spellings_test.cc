// Precision and recall on labelled spellings: spellings.csv has texts as officials type them, with what a person who knows the
// municipalities makes of them on that date.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "services/common/csv/csv_reader.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

struct Labelled {
  int64_t line;
  std::string text;
  std::string as_of;
  std::string kind;
  std::string codes;
};

const std::vector<Labelled>& Spellings() {
  static const auto* const kSpellings = [] {
    auto* spellings = new std::vector<Labelled>;
    const auto table = csv::Table::Load(PEILING_SPELLINGS, {"text", "as_of", "kind", "codes"});
    EXPECT_TRUE(table.ok()) << table.status();
    for (size_t i = 0; table.ok() && i < table->size(); ++i) {
      spellings->push_back({table->line(i), table->at(i, "text"), table->at(i, "as_of"), table->at(i, "kind"), table->at(i, "codes")});
    }
    return spellings;
  }();
  return *kSpellings;
}

std::string Kind(const v1::Resolution& resolution) {
  return v1::ResolutionKind_Name(resolution.kind()).substr(std::string("RESOLUTION_KIND_").size());
}

// Candidates are what an ambiguous text is labelled with.
std::string Meant(const v1::Resolution& resolution) {
  return absl::StrJoin(resolution.kind() == v1::RESOLUTION_KIND_AMBIGUOUS ? resolution.candidates() : resolution.codes(), " ");
}

// Whether an outcome names municipalities, rightly or wrongly.
bool IsMatch(const std::string& kind) { return kind == "EXACT" || kind == "CORRECTED" || kind == "SEVERAL" || kind == "FORMER"; }

TEST(Spellings, AreManyAndOfEveryKind) {
  std::map<std::string, int> kinds;
  for (const Labelled& each : Spellings()) ++kinds[each.kind];
  EXPECT_GE(Spellings().size(), 600u);
  for (const char* kind : {"EXACT", "CORRECTED", "SEVERAL", "AMBIGUOUS", "FORMER", "UNKNOWN"}) EXPECT_GE(kinds[kind], 8) << kind;
}

TEST(Spellings, AreNeverMatchedWronglyAndSeldomMissed) {
  int matched = 0, right = 0, to_match = 0, found = 0, kind_right = 0;
  for (const Labelled& each : Spellings()) {
    const v1::Resolution resolution = RealResolver().Resolve(each.text, each.as_of);
    const std::string kind = Kind(resolution);
    const bool same = IsMatch(kind) == IsMatch(each.kind) && Meant(resolution) == each.codes;
    if (IsMatch(kind)) {
      ++matched;
      right += same ? 1 : 0;
      EXPECT_TRUE(same) << "line " << each.line << ": \"" << each.text << "\" on " << each.as_of << " must be " << each.kind << " "
                        << each.codes << ", is " << resolution.ShortDebugString();
    }
    if (IsMatch(each.kind)) {
      ++to_match;
      found += same ? 1 : 0;
    }
    kind_right += kind == each.kind && Meant(resolution) == each.codes ? 1 : 0;
    if (kind != each.kind || Meant(resolution) != each.codes) {
      std::cout << "line " << each.line << ": \"" << each.text << "\": want " << each.kind << " " << each.codes << ", got " << kind << " "
                << Meant(resolution) << "\n";
    }
  }
  const double precision = static_cast<double>(right) / matched;
  const double recall = static_cast<double>(found) / to_match;
  const double outcome = static_cast<double>(kind_right) / static_cast<double>(Spellings().size());
  std::cout << "spellings " << Spellings().size() << ", precision " << precision << " (" << right << "/" << matched << "), recall "
            << recall << " (" << found << "/" << to_match << "), same outcome " << outcome << "\n";
  EXPECT_EQ(precision, 1.0);
  EXPECT_GE(recall, 0.97);
  EXPECT_GE(outcome, 0.97);
}

// What is not to be matched must come out exactly: an ambiguous text with its candidates, an unknown one as unknown.
TEST(Spellings, ThatMeanNothingStayUnknown) {
  for (const Labelled& each : Spellings()) {
    if (IsMatch(each.kind)) continue;
    const v1::Resolution resolution = RealResolver().Resolve(each.text, each.as_of);
    EXPECT_EQ(Kind(resolution), each.kind) << "line " << each.line << ": " << each.text << ": " << resolution.ShortDebugString();
    EXPECT_EQ(Meant(resolution), each.codes) << each.text;
  }
}

}  // namespace
}  // namespace peiling::registry
