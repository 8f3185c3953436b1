// Any text: resolving neither crashes nor hangs, answers the same each time, and what it answers is in itself consistent.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/mutate.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

constexpr char kDay[] = "2022-03-24";

// Codes are those of municipalities, sorted, as many as the kind says.
void ExpectConsistent(const std::string& text, const v1::Resolution& resolution) {
  ASSERT_EQ(resolution.text(), text);
  ASSERT_FALSE(resolution.explanation().empty());
  ASSERT_EQ(resolution.codes_size(), resolution.titles_size());
  for (const auto* codes : {&resolution.codes(), &resolution.candidates(), &resolution.successors()}) {
    ASSERT_TRUE(std::is_sorted(codes->begin(), codes->end()));
    for (const std::string& code : *codes) ASSERT_NE(RealCatalog().Find(code), nullptr);
  }
  const int codes = resolution.codes_size();
  switch (resolution.kind()) {
    case v1::RESOLUTION_KIND_EXACT:
    case v1::RESOLUTION_KIND_CORRECTED:
      ASSERT_EQ(codes, 1);
      ASSERT_TRUE(ExistsOn(*RealCatalog().Find(resolution.codes(0)), kDay));
      ASSERT_EQ(resolution.correction().empty(), resolution.kind() == v1::RESOLUTION_KIND_EXACT);
      break;
    case v1::RESOLUTION_KIND_SEVERAL:
      ASSERT_GE(codes, 2);
      break;
    case v1::RESOLUTION_KIND_FORMER:
      ASSERT_GE(codes, 1);
      ASSERT_FALSE(ExistsOn(*RealCatalog().Find(resolution.codes(0)), kDay));
      ASSERT_NE(resolution.successors_size() + resolution.candidates_size(), 0);
      break;
    case v1::RESOLUTION_KIND_AMBIGUOUS:
      ASSERT_EQ(codes, 0);
      ASSERT_GE(resolution.candidates_size(), 1);
      break;
    case v1::RESOLUTION_KIND_UNKNOWN:
      ASSERT_EQ(codes + resolution.candidates_size() + resolution.successors_size(), 0);
      break;
    default:
      FAIL() << resolution.kind();
  }
}

TEST(NamesFuzz, HoldsForAnyText) {
  std::vector<std::string> corpus = {"gem. Nissewaard",
                                     "Enkhuizen, Stede Broec en Drechterland",
                                     "Alphen a/d Rijn",
                                     "Hengelo (Ov)",
                                     "Bergen NH",
                                     "provincie Utrecht",
                                     "Weesp en Amsterdam",
                                     "",
                                     "test"};
  for (const v1::Municipality& m : RealCatalog().all()) corpus.push_back(m.title());
  fuzz::Mutator mutator(344,
                        {" en ", " & ", "/", ", ", " (", ")", "gemeente ", "'s-", "a/d ", " NH", " - ", "ij", "\xC3\xA2", "\xFF", "\n"});
  fuzz::Run(corpus, std::move(mutator), [](const std::string& text) {
    const v1::Resolution resolution = RealResolver().Resolve(text, kDay);
    ExpectConsistent(text, resolution);
    ASSERT_EQ(RealResolver().Resolve(text, kDay).ShortDebugString(), resolution.ShortDebugString());
  });
}

}  // namespace
}  // namespace peiling::registry
