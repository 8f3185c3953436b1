#include "services/intake/drafts/draft_merge.h"

#include "services/intake/drafts/draft_etag.h"
#include "services/intake/drafts/draft_response.h"
#include "tests/intake/draft_setting.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class DraftMergeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    draft_.add_municipalities("GM0228");
    draft_.add_municipalities("GM0243");
  }
  // Saves on a draft of the revision before; returns what did not come through, as "yours against theirs".
  std::string Save(uint64_t known, const std::vector<v1::AnswerChange>& changes, const std::string& author = "anna") {
    google::protobuf::RepeatedPtrField<v1::AnswerChange> repeated(changes.begin(), changes.end());
    merge_ = MergeChanges({.changes = repeated,
                           .known = *KnownRevisions::Parse(DraftEtag(known)),
                           .revision = ++revision_,
                           .now = absl::UnixEpoch(),
                           .author = author},
                          *questionnaire_, draft_, personal_);
    std::string conflicts;
    for (const auto& conflict : merge_.conflicts) conflicts += Say(conflict.yours().answer()) + " against " + Say(conflict.theirs()) + ";";
    return conflicts;
  }
  std::string Own(const std::string& municipality) {
    for (const auto& own : draft_.municipality_answers()) {
      if (own.municipality() == municipality) return SayAll(own.answers());
    }
    return "none of its own";
  }
  absl::Status Check(const std::vector<v1::AnswerChange>& changes, const DraftWriter& writer = {}) {
    v1::SaveDraftRequest request;
    request.mutable_changes()->Assign(changes.begin(), changes.end());
    return CheckChanges(request, *questionnaire_, draft_, writer);
  }
  std::vector<std::string> WrongFields(const std::vector<v1::AnswerChange>& changes) {
    std::vector<std::string> fields;
    for (const auto& [field, description] : status::FieldViolations(Check(changes))) fields.push_back(field);
    return fields;
  }

  const std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire_ = PollQuestionnaire();
  uint64_t revision_ = 1;
  v1::Draft draft_;
  survey::v1::Answers personal_;
  DraftMerge merge_;
};

TEST_F(DraftMergeTest, PeopleWhoAnswerDifferentQuestionsBothKeepTheirs) {
  EXPECT_EQ(Save(1, {For("", Number("Q6", 3))}), "");
  EXPECT_EQ(Save(1, {For("", Choice("Q4", {"wijk"}))}, "bert"), "");
  EXPECT_EQ(SayAll(draft_.answers().answers()), "Q4=wijk Q6=3") << "in the order of the questionnaire";
  ASSERT_EQ(draft_.questions_size(), 2);
  EXPECT_EQ(draft_.questions(0).changed_by(), "bert");
  EXPECT_EQ(draft_.questions(0).etag(), "r3");
  EXPECT_EQ(draft_.questions(1).changed_by(), "anna");
}

// Two people who know revision 1 answer the same question.
struct Clash {
  std::string name;
  v1::AnswerChange first, second;
  std::string conflict;
};
class ClashTest : public DraftMergeTest, public ::testing::WithParamInterface<Clash> {};

INSTANTIATE_TEST_SUITE_P(
    Clashes, ClashTest,
    ::testing::Values(Clash{"Different", For("", Number("Q6", 3)), For("", Number("Q6", 4)), "Q6=4 against Q6=3;"},
                      Clash{"Same", For("", Number("Q6", 3)), For("", Number("Q6", 3)), ""},
                      Clash{"SameInOtherOrder", For("", Choice("Q5", {"post", "loket"})), For("", Choice("Q5", {"loket", "post"})), ""},
                      Clash{"TakenAway", For("", Number("Q6", 3)), For("", Nothing("Q6")), "Q6= against Q6=3;"},
                      Clash{"Personal", For("", Text("Q1", "Anna")), For("", Text("Q1", "Bert")), "Q1=Bert against Q1=Anna;"},
                      Clash{"ForOneMunicipality", For("GM0228", Number("Q6", 3)), For("GM0228", Number("Q6", 4)), "Q6=4 against Q6=3;"},
                      Clash{"ForTwoMunicipalities", For("GM0228", Number("Q6", 3)), For("GM0243", Number("Q6", 4)), ""},
                      Clash{"ForOneAndForAll", For("GM0228", Number("Q6", 3)), For("", Number("Q6", 4)), ""}),
    [](const auto& info) { return info.param.name; });

TEST_P(ClashTest, OnlyAnotherAnswerToTheSameQuestionIsAConflict) {
  EXPECT_EQ(Save(1, {GetParam().first}), "");
  EXPECT_EQ(Save(1, {GetParam().second}, "bert"), GetParam().conflict);
  if (GetParam().conflict.empty()) return;
  EXPECT_TRUE(merge_.changed.empty());
  EXPECT_EQ(merge_.conflicts[0].change().changed_by(), "anna");
  EXPECT_EQ(merge_.conflicts[0].change().etag(), "r2");
  EXPECT_EQ(Save(2, {GetParam().second}, "bert"), "") << "who knows it may change it";
}

TEST_F(DraftMergeTest, OneConflictKeepsNothingElseBack) {
  Save(1, {For("", Number("Q6", 3))});
  EXPECT_EQ(Save(1, {For("", Number("Q6", 4)), For("", Choice("Q4", {"stad"}))}), "Q6=4 against Q6=3;");
  EXPECT_EQ(SayAll(draft_.answers().answers()), "Q4=stad Q6=3");
}

TEST_F(DraftMergeTest, AnAnswerThatWasTakenAwayIsKnownToBe) {
  Save(1, {For("", Number("Q6", 3))});
  Save(2, {For("", Nothing("Q6"))});
  EXPECT_EQ(Save(2, {For("", Number("Q6", 5))}), "Q6=5 against Q6=;");
}

TEST_F(DraftMergeTest, PersonalAnswersAreKeptApartAndOutOfTheHistory) {
  Save(1, {For("", Text("Q1", "Anna")), For("", Text("Q3", "Ede"))});
  EXPECT_EQ(SayAll(draft_.answers().answers()), "Q3=Ede");
  EXPECT_EQ(SayAll(personal_.answers()), "Q1=Anna");
  EXPECT_TRUE(merge_.personal_changed);
  ASSERT_EQ(merge_.changed.size(), 2u);
  EXPECT_TRUE(merge_.changed[0].personal());
  EXPECT_EQ(Say(merge_.changed[0].after()), "Q1=");
  EXPECT_EQ(Say(merge_.changed[1].before()) + " " + Say(merge_.changed[1].after()), "Q3= Q3=Ede");
  Save(2, {For("", Text("Q3", "Ee"))});
  EXPECT_FALSE(merge_.personal_changed);
}

TEST_F(DraftMergeTest, AMunicipalityHasItsOwnAnswerNoneOrThatForAll) {
  Save(1, {For("", Number("Q6", 3)), For("", Choice("Q4", {"wijk"}))});
  Save(2, {For("GM0243", Number("Q6", 5)), For("GM0228", Text("Q6", "")), For("GM0228", Choice("Q4", {}))});
  EXPECT_EQ(Own("GM0243"), "Q6=5");
  EXPECT_EQ(Own("GM0228"), "Q4= Q6=");
  ASSERT_EQ(draft_.municipality_answers_size(), 2);
  EXPECT_EQ(draft_.municipality_answers(0).municipality(), "GM0228") << "sorted";
  Save(3, {For("GM0243", Nothing("Q6")), For("GM0228", Nothing("Q6"))});
  EXPECT_EQ(Own("GM0243"), "none of its own");
  EXPECT_EQ(Own("GM0228"), "Q4=");
}

TEST_F(DraftMergeTest, NamesEveryWrongFieldAtOnce) {
  EXPECT_THAT(WrongFields({For("", Text("Q77", "x")), For("", Text("Q6", "drie")), For("GM9999", Number("Q6", 1)),
                           For("GM0228", Text("Q1", "Anna")), For("", Text("Q3", "Ede")), For("", Number("Q4", 1)),
                           For("", Choice("Q7", {"wijk"})), For("", Number("Q5", 2)), For("", Number("Q8", 2)), For("", Number("Q6", 2))}),
              UnorderedElementsAre("changes[0].answer.question", "changes[1].answer", "changes[2].municipality", "changes[3].municipality",
                                   "changes[4].answer.question", "changes[5].answer", "changes[6].answer", "changes[7].answer",
                                   "changes[8].answer", "changes[9]"));
}

TEST_F(DraftMergeTest, WhatIsInvalidIsNoWrongField) {
  EXPECT_TRUE(Check({For("", Choice("Q4", {"wijk", "stad"})), For("", Choice("Q5", {"kanaal"})), For("", Number("Q6", -1)),
                     For("GM0228", Choice("Q4", {"wijk"}))})
                  .ok());
}

TEST_F(DraftMergeTest, WhoMayWriteInSomeSectionsMayNotInOthers) {
  const DraftWriter writer{.subject = "carla", .sections = {{2}}};
  EXPECT_TRUE(Check({For("", Number("Q6", 1)), For("GM0228", Choice("Q4", {"wijk"}))}, writer).ok());
  const absl::Status status = Check({For("", Number("Q6", 1)), For("", Text("Q2", "Wethouder")), For("", Text("Q1", "Carla"))}, writer);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status::Reason(status), "NOT_WITHIN_SECTIONS");
  EXPECT_EQ(status::Metadata(status).at("questions"), "Q2, Q1");
}

access::v1::Grant Grant(access::v1::Role role, const std::string& resource, const std::vector<int>& sections) {
  access::v1::Grant grant;
  grant.set_role(role);
  if (!resource.empty()) grant.add_resources(resource);
  grant.mutable_sections()->Assign(sections.begin(), sections.end());
  return grant;
}

struct Caller {
  std::string name;
  std::vector<access::v1::Grant> grants;
  std::optional<std::set<int>> sections;
  bool respondent;
  bool stranger = false;
};
class WriterTest : public ::testing::TestWithParam<Caller> {};

INSTANTIATE_TEST_SUITE_P(
    Callers, WriterTest,
    ::testing::Values(
        Caller{"Administrator", {Grant(access::v1::ROLE_ADMINISTRATOR, "", {})}, std::nullopt, false},
        Caller{"Invited", {Grant(access::v1::ROLE_RESPONDENT, DraftName(), {})}, std::nullopt, true},
        Caller{"Colleague", {Grant(access::v1::ROLE_RESPONDENT, DraftName(), {2, 4})}, {{2, 4}}, true},
        Caller{"ColleagueTwice",
               {Grant(access::v1::ROLE_RESPONDENT, DraftName(), {2}), Grant(access::v1::ROLE_RESPONDENT, DraftName(), {3})},
               {{2, 3}},
               true},
        Caller{"ColleagueWhoIsAlsoInvited",
               {Grant(access::v1::ROLE_RESPONDENT, DraftName(), {2}), Grant(access::v1::ROLE_RESPONDENT, DraftName(), {})},
               std::nullopt,
               true},
        Caller{"ColleagueWithAKeyForTheWave",
               {Grant(access::v1::ROLE_RESPONDENT, DraftName(), {2}), Grant(access::v1::ROLE_RESPONDENT, kWaveName, {})},
               {{2}},
               true},
        Caller{"FormOfTheWave", {Grant(access::v1::ROLE_RESPONDENT, kWaveName, {})}, std::set<int>(), true, true},
        Caller{"FormOfAllWaves", {Grant(access::v1::ROLE_RESPONDENT, "", {})}, std::set<int>(), true, true},
        Caller{"InvitedElsewhere", {Grant(access::v1::ROLE_RESPONDENT, NameOfDraft("GM02281"), {})}, std::set<int>(), true, true},
        Caller{"AdministratorElsewhere", {Grant(access::v1::ROLE_ADMINISTRATOR, "surveys/other", {})}, std::set<int>(), true, true},
        Caller{"Mailer", {Grant(access::v1::ROLE_MAILER, "", {})}, std::set<int>(), true, true}),
    [](const auto& info) { return info.param.name; });

TEST_P(WriterTest, MayWhatTheGrantsForThisResponseSay) {
  access::v1::Identity caller;
  caller.set_subject("somebody");
  caller.mutable_grants()->Assign(GetParam().grants.begin(), GetParam().grants.end());
  const DraftWriter writer = WriterOf(caller, DraftName());
  EXPECT_EQ(writer.subject, "somebody");
  EXPECT_EQ(writer.sections, GetParam().sections);
  EXPECT_EQ(writer.respondent, GetParam().respondent);
  EXPECT_EQ(writer.stranger, GetParam().stranger);
  EXPECT_EQ(status::Reason(CheckTakesPart(writer, DraftName())), GetParam().stranger ? "NOT_WITHIN_LIMITS" : "");
}

TEST(WriterTest, AServiceMayEverything) {
  const DraftWriter writer = WriterOf(access::v1::Identity(), DraftName());
  EXPECT_EQ(writer.sections, std::nullopt);
  EXPECT_FALSE(writer.respondent);
}

TEST(DraftEtagTest, IsReadBack) {
  EXPECT_EQ(RevisionOf(DraftEtag(17)), 17u);
  for (const char* const none : {"", "17", "r", "v17", "r17x", "r-1", "r17+19"}) EXPECT_EQ(RevisionOf(none), 0u) << none;
}

// An etag, and the etags after the caller made these revisions, one after the other.
struct Knowing {
  std::string etag;
  std::vector<uint64_t> made;
  std::string after;
};
class KnownRevisionsTest : public ::testing::TestWithParam<Knowing> {};

INSTANTIATE_TEST_SUITE_P(Etags, KnownRevisionsTest,
                         ::testing::Values(Knowing{"", {}, "r1"}, Knowing{"", {2, 3}, "r3"}, Knowing{"", {4}, "r1+4"},
                                           Knowing{"r12", {13}, "r13"}, Knowing{"r12", {14, 16, 17}, "r12+14+16-17"},
                                           Knowing{"r12+14", {15}, "r12+14-15"}, Knowing{"r12+14-15", {17}, "r12+14-15+17"}));

TEST_P(KnownRevisionsTest, GrowsWithWhatTheCallerMadeAlone) {
  KnownRevisions known = *KnownRevisions::Parse(GetParam().etag);
  for (const uint64_t revision : GetParam().made) {
    EXPECT_FALSE(known.Knows(revision));
    known.Add(revision);
    EXPECT_TRUE(known.Knows(revision));
    EXPECT_EQ(known.last(), revision);
  }
  EXPECT_EQ(known.Etag(), GetParam().after);
  EXPECT_EQ(KnownRevisions::Parse(known.Etag())->Etag(), GetParam().after);
}

TEST(KnownRevisionsTest, WhatOthersMadeIsNotKnown) {
  const KnownRevisions known = *KnownRevisions::Parse("r12+14+16-18");
  for (const uint64_t revision : {1, 12, 14, 16, 17, 18}) EXPECT_TRUE(known.Knows(revision)) << revision;
  for (const uint64_t revision : {13, 15, 19}) EXPECT_FALSE(known.Knows(revision)) << revision;
  EXPECT_FALSE(known.KnowsAll(12)) << "it has gaps";
  EXPECT_TRUE(KnownRevisions::Parse("r12")->KnowsAll(12));
  EXPECT_FALSE(KnownRevisions::Parse("r12")->KnowsAll(13));
}

TEST(KnownRevisionsTest, StaysShortAndForgetsTheOldestOfItsOwn) {
  KnownRevisions known;
  for (uint64_t revision = 3; revision <= 3 + 2 * 30; revision += 2) known.Add(revision);
  EXPECT_FALSE(known.Knows(3));
  EXPECT_FALSE(known.Knows(23));
  for (uint64_t revision = 25; revision <= 63; revision += 2) EXPECT_TRUE(known.Knows(revision)) << revision;
  EXPECT_LT(known.Etag().size(), 100u);
  EXPECT_TRUE(KnownRevisions::Parse(known.Etag()));
}

TEST(KnownRevisionsTest, WhatWasNotGivenOutIsNoEtag) {
  std::string long_one = "r1";
  for (int i = 1; i <= 21; ++i) long_one += "+" + std::to_string(1 + 2 * i);
  for (const std::string& none :
       {std::string("r0"), std::string("r"), std::string("r01"), std::string("r1+"), std::string("r1+2"), std::string("r5+4"),
        std::string("r1+4-3"), std::string("r1+3-3"), std::string("r1+3+4"), std::string("r1 "), std::string("r1+3-"),
        std::string("r99999999999999999999"), std::string("r1+18446744073709551615+1"), long_one}) {
    EXPECT_FALSE(KnownRevisions::Parse(none)) << none;
  }
}

}  // namespace
}  // namespace peiling::intake
