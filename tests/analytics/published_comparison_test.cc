#include "services/analytics/published_comparison.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace dv = dedup::v1;
using samples::Parse;
using samples::Put;
using samples::RecordMaker;

TEST(PercentIsPossible, AgreesWithTryingEveryCount) {
  for (int64_t base = 0; base <= 250; ++base) {
    for (int percent = 0; percent <= 100; ++percent) {
      bool found = false;
      for (int64_t count = 0; count <= base; ++count) found |= base > 0 && Percent({count, base}) == percent;
      ASSERT_EQ(PercentIsPossible(percent, base), found && base > 0) << percent << " of " << base;
    }
  }
  // The slips of the report on 2022.
  EXPECT_FALSE(PercentIsPossible(8, 68));
  EXPECT_FALSE(PercentIsPossible(39, 13));
  EXPECT_FALSE(PercentIsPossible(64, 63));
  EXPECT_FALSE(PercentIsPossible(79, 65));
  EXPECT_FALSE(PercentIsPossible(82, 64));
  EXPECT_FALSE(PercentIsPossible(85, 63));
  EXPECT_TRUE(PercentIsPossible(80, 65));
}

class PublishedComparisonTest : public testing::Test {
 protected:
  PublishedComparisonTest() : index_(samples::Compiled(), samples::SampleFrame()), fieldwork_(samples::SampleFrame(), absl::UTCTimeZone()) {
    // Seven records; five of six small municipalities; six with teams.
    for (const int municipality : {1, 2, 3, 4, 5}) Put(index_, RecordMaker(municipality).Choose("teams", {"ja"}));
    Put(index_, RecordMaker(7).Choose("teams", {"ja"}).Incomplete(1));
    Put(index_, RecordMaker(9).Choose("teams", {"nee"}));
    fieldwork_.Put(samples::Decide("1", dv::DISPOSITION_KEPT, {1, 2}, "2022-09-05T08:00:00Z", "", {1, 2}));
    fieldwork_.Put(samples::Decide("2", dv::DISPOSITION_RESTART, {9}, "2022-09-05T08:00:00Z"));
    fieldwork_.Put(samples::Decide("3", dv::DISPOSITION_MUNICIPALITY_UNKNOWN, {}, "2022-09-05T08:00:00Z"));
    Bitmap panel;
    for (const int municipality : {1, 2, 6}) panel.Set(index_.frame().Find(samples::Code(municipality)));
    overlaps_["2019"] = panel;
  }

  v1::CompareWithPublishedResponse Compare(const std::string& report) {
    v1::CompareWithPublishedResponse response;
    ComparePublished(index_, fieldwork_, Parse<survey::v1::PublishedReport>(report), overlaps_, response);
    return response;
  }
  v1::FigureComparison Figure(const std::string& figure) { return Compare("figures {" + figure + "}").figures(0); }
  v1::ClaimComparison Claim(const std::string& claim) { return Compare("claims {" + claim + "}").claims(0); }

  WaveIndex index_;
  Fieldwork fieldwork_;
  Overlaps overlaps_;
};

constexpr char kTeams[] = "measure { count { option { question: 'teams' option: 'ja' } } } ";

TEST_F(PublishedComparisonTest, JudgesFigures) {
  struct Case {
    std::string figure;
    int64_t k, n;
    v1::Verdict verdict;
  };
  const std::string teams = kTeams;
  const std::string small = "{ size_class: SIZE_CLASS_UNDER_50K }";
  const std::string usable = "{ fieldwork: FIELDWORK_COUNT_USABLE }";
  for (const auto& c : std::vector<Case>{
           {teams + "percent: 86 base: 7", 6, 7, v1::VERDICT_MATCHES},
           {teams + "percent: 86", 6, 7, v1::VERDICT_MATCHES},
           {teams + "percent: 85 base: 7", 6, 7, v1::VERDICT_SLIP},
           {teams + "percent: 87 base: 7", 6, 7, v1::VERDICT_SLIP},
           {teams + "percent: 88 base: 7", 6, 7, v1::VERDICT_DIFFERS},  // Impossible, but too far off.
           {teams + "percent: 71 base: 7", 6, 7, v1::VERDICT_DIFFERS},  // Possible, and not so.
           {teams + "percent: 71 base: 7 contradiction: 'CBS'", 6, 7, v1::VERDICT_CONTRADICTED},
           {teams + "percent: 86 base: 7 contradiction: 'CBS'", 6, 7, v1::VERDICT_MATCHES},
           {teams + "percent: 86 base: 8", 6, 7, v1::VERDICT_DIFFERS},           // The base is wrong.
           {teams + "percent: 85 base: 8", 6, 7, v1::VERDICT_DIFFERS},           // No slip over another base.
           {teams + "percent: 86 base: 7 count: 5", 6, 7, v1::VERDICT_DIFFERS},  // The count is wrong.
           {"measure { count { option { question: 'teams' option: 'ja' } } strata " + small + " } percent: 100 base: 5", 5, 5,
            v1::VERDICT_MATCHES},
           {"measure { count " + usable + " } count: 7", 7, 0, v1::VERDICT_MATCHES},
           {"measure { count " + usable + " } count: 8", 7, 0, v1::VERDICT_DIFFERS},
           {"measure { count " + usable + " base { fieldwork: FIELDWORK_COUNT_MUNICIPALITIES } } percent: 70 base: 10", 7, 10,
            v1::VERDICT_MATCHES},
           {"measure { count " + usable + " base " + usable + " count_strata " + small + " } percent: 71 count: 5 base: 7", 5, 7,
            v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_COMPLETE } } count: 6", 6, 0, v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_PARTIAL } } count: 1", 1, 0, v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_STARTED } } count: 3", 3, 0, v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_STARTED } strata " + small + " } count: 1", 1, 0, v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_KEPT } } count: 1", 1, 0, v1::VERDICT_MATCHES},
           {"measure { count { fieldwork: FIELDWORK_COUNT_JOINT_QUESTIONNAIRES } } count: 1", 1, 0, v1::VERDICT_MATCHES},
           {"measure { count { also_in_wave: '2019' } base " + usable + " } percent: 29 base: 7", 2, 7, v1::VERDICT_MATCHES},
       }) {
    const auto figure = Figure(c.figure);
    EXPECT_EQ(figure.k(), c.k) << c.figure;
    EXPECT_EQ(figure.n(), c.n) << c.figure;
    EXPECT_EQ(figure.verdict(), c.verdict) << c.figure;
    EXPECT_NE(figure.label(), "") << c.figure;
  }
}

TEST_F(PublishedComparisonTest, SumsTheVerdicts) {
  const auto response = Compare(std::string("source: 'Rapport' figures {") + kTeams + "percent: 86 base: 7 } figures {" + kTeams +
                                "percent: 85 base: 7 } figures {" + kTeams + "percent: 10 base: 7 }" +
                                "figures { measure { count { also_in_wave: '2014' } } count: 3 }");
  EXPECT_EQ(response.source(), "Rapport");
  EXPECT_EQ(response.matching(), 1);
  EXPECT_EQ(response.slips(), 1);
  EXPECT_EQ(response.differing(), 2);
  EXPECT_EQ(response.figures(3).verdict(), v1::VERDICT_UNSPECIFIED);  // Nobody knows a wave of 2014.
}

TEST_F(PublishedComparisonTest, SaysWhatIsRightAboutStatements) {
  struct Case {
    std::string claim;
    v1::Verdict verdict;
    const char* finding;
  };
  for (const auto& c : std::vector<Case>{
           {"percent { percent: 72 printed { count: 63 base: 90 } }", v1::VERDICT_DIFFERS, "63 van 90 (70 procent), niet 72 procent."},
           {"percent { percent: 56 printed { count: 224 base: 403 } }", v1::VERDICT_MATCHES, "Klopt: 224 van 403 (56 procent)."},
           {"percent { percent: 29 measure { count { also_in_wave: '2019' } base { fieldwork: FIELDWORK_COUNT_USABLE } } }",
            v1::VERDICT_MATCHES, "Klopt: 2 van 7 (29 procent)."},
           {"bands { bands { label: '< 50.000' to: 49999 } bands { label: '50.001 - 100.000' from: 50001 to: 100000 } bands { label: '> "
            "100.000' from: 100001 } }",
            v1::VERDICT_DIFFERS, "Tussen \"< 50.000\" en \"50.001 - 100.000\" ontbreekt een klasse voor het getal 50.000."},
           {"bands { bands { label: 'a' to: 10 } bands { label: 'b' from: 20 } }", v1::VERDICT_DIFFERS,
            "Tussen \"a\" en \"b\" ontbreekt een klasse voor de getallen 11 tot en met 19."},
           {"bands { bands { label: 'a' to: 10 } bands { label: 'b' from: 10 to: 20 } bands { label: 'c' from: 18 } }", v1::VERDICT_DIFFERS,
            "\"a\" en \"b\" overlappen bij het getal 10. \"b\" en \"c\" overlappen bij de getallen 18 tot en met 20."},
           {"bands { bands { label: 'a' to: 9 } bands { label: 'b' from: 10 } }", v1::VERDICT_MATCHES,
            "Klopt: de klassen sluiten aan, zonder gat en zonder overlap."},
           {"over_represented { stratum { size_class: SIZE_CLASS_UNDER_50K } }", v1::VERDICT_MATCHES,
            "Klopt: 5 van 7 (71 procent) van de deelnemende gemeenten, tegenover 6 van 10 (60 procent) van alle gemeenten."},
           {"over_represented { stratum { province: 'Drenthe' } }", v1::VERDICT_DIFFERS,
            "Deze gemeenten zijn ondervertegenwoordigd: 2 van 7 (29 procent) van de deelnemende gemeenten, tegenover 4 van 10 (40 procent) "
            "van alle "
            "gemeenten."},
           {"percent { percent: 5 measure { count { option { question: 'nope' option: 'ja' } } } }", v1::VERDICT_UNSPECIFIED,
            "Niet te berekenen: deze peiling heeft de gegevens niet."},
       }) {
    const auto claim = Claim(c.claim);
    EXPECT_EQ(claim.verdict(), c.verdict) << c.claim;
    EXPECT_EQ(claim.finding(), c.finding) << c.claim;
  }
}

}  // namespace
}  // namespace peiling::analytics
