#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/fieldwork/progress/calls.h"
#include "services/fieldwork/progress/fieldwork_days.h"
#include "services/fieldwork/progress/lines.h"
#include "services/fieldwork/progress/standing.h"
#include "services/fieldwork/progress/strata.h"
#include "tests/fieldwork/progress_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

absl::Time At(const std::string& local) { return *calendar::ParseLocalMinute(local); }

TEST(FieldworkDaysTest, CountsCalendarDaysFromTheOneItOpensToTheOneItCloses) {
  const auto wave = MakeWave()->wave;
  const std::vector<std::pair<std::string, int>> days = {{"2026-03-01 12:00", 0},
                                                         {"2026-03-24 08:59", 0},
                                                         {"2026-03-24 09:00", 1},
                                                         {"2026-03-24 23:59", 1},
                                                         {"2026-03-25 00:00", 2},
                                                         // The clock went forward in between.
                                                         {"2026-03-29 00:00", 6},
                                                         {"2026-03-29 23:59", 6},
                                                         {"2026-03-30 00:00", 7},
                                                         {"2026-04-21 16:00", 29},
                                                         {"2026-05-30 12:00", 29}};
  for (const auto& [now, day] : days) EXPECT_EQ(FieldworkDay(wave, At(now)), day) << now;
  EXPECT_EQ(DayWithNumber(wave, 3), absl::CivilDay(2026, 3, 26));
  EXPECT_EQ(DayWithNumber(wave, 60), absl::CivilDay(2026, 4, 21));
  EXPECT_EQ(DayWithNumber(wave, 0), absl::CivilDay(2026, 3, 23));
}

TEST(FieldworkDaysTest, TakesTheDaysOfADocumentWithoutTimes) {
  intake::v1::Wave wave;
  EXPECT_EQ(FieldworkDay(wave, At("2022-10-01 12:00")), 0);
  EXPECT_FALSE(OpeningDay(wave).has_value());
  wave.set_opened("2022-09-05");
  wave.set_closed("2022-10-03");
  EXPECT_EQ(FieldworkDay(wave, At("2022-09-05 00:00")), 1);
  EXPECT_EQ(FieldworkDay(wave, At("2022-12-01 00:00")), 29);
  EXPECT_FALSE(IsOver(wave, At("2022-12-01 00:00")));
}

TEST(FieldworkDaysTest, OneThatClosesAtMidnightWasOpenTheDayBefore) {
  intake::v1::Wave wave = MakeWave()->wave;
  *wave.mutable_closes_at() = calendar::ToProto(At("2026-04-21 00:00"));
  EXPECT_EQ(ClosingDay(wave), absl::CivilDay(2026, 4, 20));
}

TEST(FieldworkDaysTest, IsOverAfterItsGrace) {
  intake::v1::Wave wave = MakeWave()->wave;
  wave.mutable_grace_period()->set_seconds(7200);
  EXPECT_FALSE(IsOver(wave, At("2026-04-21 18:59")));
  EXPECT_TRUE(IsOver(wave, At("2026-04-21 19:00")));
}

TEST(MailSumsTest, CountsWhatWasHandedOverAndWhatCameBack) {
  struct Case {
    v1::MessageState state;
    survey::v1::MailKind kind;
    int mails, reminders, bounces;
    bool reached, reminded;
  };
  using enum survey::v1::MailKind;
  const std::vector<Case> cases = {{v1::MESSAGE_STATE_DUE, MAIL_KIND_INVITATION, 0, 0, 0, false, false},
                                   {v1::MESSAGE_STATE_LEASED, MAIL_KIND_INVITATION, 0, 0, 0, false, false},
                                   {v1::MESSAGE_STATE_UNCERTAIN, MAIL_KIND_INVITATION, 0, 0, 0, false, false},
                                   {v1::MESSAGE_STATE_CANCELLED, MAIL_KIND_REMINDER, 0, 0, 0, false, false},
                                   {v1::MESSAGE_STATE_SENT, MAIL_KIND_INVITATION, 1, 0, 0, true, false},
                                   {v1::MESSAGE_STATE_DELIVERED, MAIL_KIND_REMINDER, 1, 1, 0, true, true},
                                   {v1::MESSAGE_STATE_BOUNCED, MAIL_KIND_INVITATION, 1, 0, 1, false, false},
                                   {v1::MESSAGE_STATE_BOUNCED, MAIL_KIND_REMINDER, 1, 1, 1, false, false},
                                   {v1::MESSAGE_STATE_FAILED, MAIL_KIND_INVITATION, 0, 0, 0, false, false}};
  for (const auto& [state, kind, mails, reminders, bounces, reached, reminded] : cases) {
    MailSums sums;
    sums.Add(MakeMessage("GM0001", state, kind));
    EXPECT_EQ(sums.mails, mails) << v1::MessageState_Name(state);
    EXPECT_EQ(sums.reminders, reminders) << v1::MessageState_Name(state);
    EXPECT_EQ(sums.bounces, bounces) << v1::MessageState_Name(state);
    EXPECT_EQ(sums.contacts.reached, reached) << v1::MessageState_Name(state);
    EXPECT_EQ(sums.contacts.reminded, reminded) << v1::MessageState_Name(state);
    EXPECT_FALSE(sums.holders.reached);
  }
}

TEST(MailSumsTest, MailRefusedAtOnceWasNotHandedOver) {
  v1::Message refused = MakeMessage("GM0001", v1::MESSAGE_STATE_BOUNCED);
  refused.clear_sent_at();
  MailSums sums;
  sums.Add(refused);
  EXPECT_EQ(sums.mails, 0);
  EXPECT_EQ(sums.bounces, 1);
}

TEST(MailSumsTest, LinksOfColleaguesAreNoMailOfTheInvitationAndThatOfWhoTookOverIs) {
  MailSums sums;
  sums.Add(MakeMessageToHolder("GM0001", "c1", v1::MESSAGE_STATE_SENT));
  EXPECT_EQ(sums.mails, 0);
  sums.Add(MakeMessageToHolder("GM0001", "h2", v1::MESSAGE_STATE_BOUNCED));
  EXPECT_EQ(sums.mails, 1);
  EXPECT_EQ(sums.bounces, 1);
  EXPECT_FALSE(sums.holders.reached);
  sums.Add(MakeMessageToHolder("GM0001", "h3", v1::MESSAGE_STATE_SENT));
  EXPECT_TRUE(sums.holders.reached);
  EXPECT_FALSE(sums.contacts.reached);
}

class ProgressTest : public testing::Test {
 protected:
  ProgressTest() { facts_.wave = wave_; }

  void Invite(v1::Invitation invitation) {
    if (invitation.contact().empty() && !invitation.handed_over()) facts_.without_receiver.insert(invitation.name());
    facts_.invitations.push_back(std::move(invitation));
  }
  // Of who took over; `reachable`: mail can go to them.
  void InviteHandedOver(const std::string& code, bool reachable, bool opened) {
    v1::Invitation invitation = MakeInvitation({code}, "");
    invitation.set_handed_over(true);
    if (opened) *invitation.mutable_opened_at() = calendar::ToProto(At("2026-03-31 10:00"));
    if (!reachable) facts_.without_receiver.insert(invitation.name());
    Invite(std::move(invitation));
  }
  void Open(v1::Invitation invitation, const std::string& at) {
    *invitation.mutable_opened_at() = calendar::ToProto(At(at));
    Invite(std::move(invitation));
  }
  void Mail(const v1::Message& message) { facts_.mail[message.invitation()].Add(message); }
  std::vector<Standing> Standings() const { return StandingOf(facts_); }
  v1::FieldworkStage StageOf(size_t municipality) const { return Standings()[municipality].shown.stage(); }
  std::vector<v1::FieldworkLine> Lines(const ResponseSoFar& so_far = {}) const {
    return LinesOf(wave_->wave, StrataOf(*wave_), Standings(), so_far);
  }
  // Codes and reasons.
  std::vector<std::pair<std::string, v1::CallReason>> Calls(const std::string& now, const ResponseSoFar& so_far = {}) const {
    const auto standings = Standings();
    std::vector<std::pair<std::string, v1::CallReason>> calls;
    for (const auto& call : CallsOf(standings, StrataOf(*wave_), Lines(so_far), At(now))) {
      calls.emplace_back(standings[call.municipality].shown.municipality(), call.place.reason);
    }
    return calls;
  }
  static ResponseSoFar Usable(const std::vector<std::tuple<std::string, std::string, int, int>>& lines) {
    ResponseSoFar so_far;
    so_far.now.emplace();
    for (const auto& [stratum, code, usable, percent] : lines) {
      auto& line = *so_far.now->add_lines();
      line.set_stratum(stratum);
      line.set_code(code);
      line.set_usable(usable);
      line.set_response_percent(percent);
    }
    return so_far;
  }

  std::shared_ptr<WaveDetails> wave_ = MakeWave();
  WaveFacts facts_;
};

TEST_F(ProgressTest, KnowsWhereEachMunicipalityIs) {
  Invite(MakeInvitation({"GM0002"}));
  Invite(MakeInvitation({"GM0003"}, ""));
  Mail(MakeMessage("GM0003", v1::MESSAGE_STATE_BOUNCED));
  Invite(MakeInvitation({"GM0004"}));
  Mail(MakeMessage("GM0004", v1::MESSAGE_STATE_SENT));
  Open(MakeInvitation({"GM0005"}), "2026-03-25 10:00");
  facts_.responses["GM0005"] = MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM0005"}, 0);
  Open(MakeInvitation({"GM0006"}), "2026-03-25 10:00");
  facts_.responses["GM0006"] = MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM0006"}, 15);

  using enum v1::FieldworkStage;
  const std::vector<v1::FieldworkStage> stages = {FIELDWORK_STAGE_NOT_INVITED, FIELDWORK_STAGE_INVITED, FIELDWORK_STAGE_BOUNCED,
                                                  FIELDWORK_STAGE_REACHED,     FIELDWORK_STAGE_OPENED,  FIELDWORK_STAGE_STARTED};
  for (size_t i = 0; i < stages.size(); ++i) EXPECT_EQ(StageOf(i), stages[i]) << i;
  const auto shown = Standings()[5].shown;
  EXPECT_EQ(shown.percent_done(), 37);
  EXPECT_EQ(calendar::FromProto(shown.last_activity_at()), At("2026-03-25 10:00"));
  EXPECT_FALSE(Standings()[3].shown.has_percent_done());
  EXPECT_EQ(calendar::FromProto(Standings()[3].shown.last_mail_at()), At("2026-03-24 10:00"));

  facts_.responses["GM0006"].state = intake::v1::RESPONSE_STATE_SUBMITTED;
  EXPECT_EQ(StageOf(5), FIELDWORK_STAGE_SUBMITTED);
}

TEST_F(ProgressTest, MailThatCameBackIsNotTheEndWhileThereIsSomebodyElse) {
  v1::Invitation invitation = MakeInvitation({"GM0001"}, "second");
  invitation.add_escalated_from("municipalities/GM0001/contacts/first");
  Invite(invitation);
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_BOUNCED));
  EXPECT_EQ(StageOf(0), v1::FIELDWORK_STAGE_INVITED);
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_DELIVERED));
  EXPECT_EQ(StageOf(0), v1::FIELDWORK_STAGE_REACHED);
  EXPECT_EQ(Standings()[0].shown.bounces(), 1);
  EXPECT_EQ(Standings()[0].shown.escalations(), 1);
}

TEST_F(ProgressTest, CountsAsEscalationOnlyThatMailWentToAnotherContact) {
  struct Case {
    const char* what;
    std::vector<std::string> before;
    std::string now;
    int escalations;
  };
  const std::vector<Case> cases = {{"from the first to nobody", {"a"}, "", 0},
                                   {"back from nobody to the first", {"a"}, "a", 0},
                                   {"by way of nobody to the second", {"a"}, "b", 1},
                                   {"to the second and to nobody", {"a", "b"}, "", 1},
                                   {"to the second, to nobody and to the second again", {"a", "b"}, "b", 1},
                                   {"round to the first", {"a", "b"}, "a", 2},
                                   {"never", {}, "a", 0}};
  for (const auto& [what, before, now, escalations] : cases) {
    v1::Invitation invitation = MakeInvitation({"GM0001"}, now);
    for (const std::string& contact : before) invitation.add_escalated_from("municipalities/GM0001/contacts/" + contact);
    facts_.invitations = {invitation};
    EXPECT_EQ(Standings()[0].shown.escalations(), escalations) << what;
    EXPECT_EQ(Lines().front().escalated(), escalations == 0 ? 0 : 1) << what;
  }
}

TEST_F(ProgressTest, AHandOverLeavesEscalationsAsTheyWere) {
  InviteHandedOver("GM0001", true, true);
  facts_.invitations[0].add_escalated_from("municipalities/GM0001/contacts/first");
  // To the one who handed it over.
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_SENT));
  EXPECT_EQ(Standings()[0].shown.escalations(), 1);
}

TEST_F(ProgressTest, AfterAHandOverItIsReachedWhenWhoTookOverIs) {
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_SENT));
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_SENT, survey::v1::MAIL_KIND_REMINDER));
  Mail(MakeMessageToHolder("GM0001", "h2", v1::MESSAGE_STATE_BOUNCED));
  InviteHandedOver("GM0001", false, false);
  EXPECT_EQ(StageOf(0), v1::FIELDWORK_STAGE_BOUNCED);
  EXPECT_EQ(Lines().front().reached(), 0);
  EXPECT_EQ(Lines().front().bounced(), 1);
  Mail(MakeMessageToHolder("GM0001", "h3", v1::MESSAGE_STATE_DELIVERED));
  EXPECT_EQ(StageOf(0), v1::FIELDWORK_STAGE_REACHED);
  EXPECT_FALSE(Standings()[0].reminded);
}

TEST_F(ProgressTest, AJointInvitationCountsForAllItsMunicipalities) {
  Open(MakeInvitation({"GM0001", "GM0002"}), "2026-03-25 10:00");
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_SENT));
  facts_.responses["GM0001"] = MakeStand(intake::v1::RESPONSE_STATE_SUBMITTED, {"GM0001", "GM0002"}, 40);
  EXPECT_EQ(StageOf(0), v1::FIELDWORK_STAGE_SUBMITTED);
  EXPECT_EQ(StageOf(1), v1::FIELDWORK_STAGE_SUBMITTED);
  EXPECT_EQ(Standings()[1].shown.mails(), 1);
  const auto total = Lines().front();
  EXPECT_EQ(total.invited(), 2);
  EXPECT_EQ(total.submitted(), 2);
}

TEST_F(ProgressTest, TakesAnAnswerThatCameInByAnotherWay) {
  facts_.submitted = {"GM0004"};
  facts_.responses["101"] = MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM0005"}, 3);
  facts_.responses["102"] = MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM9999"}, 3);
  EXPECT_EQ(StageOf(3), v1::FIELDWORK_STAGE_SUBMITTED);
  EXPECT_EQ(StageOf(4), v1::FIELDWORK_STAGE_STARTED);
  const auto total = Lines().front();
  EXPECT_EQ(total.invited(), 0);
  EXPECT_EQ(total.opened(), 0);
  EXPECT_EQ(total.started(), 2);
  EXPECT_EQ(total.submitted(), 1);
}

TEST_F(ProgressTest, LinesAreInTheOrderOfAnalytics) {
  std::vector<std::pair<std::string, int64_t>> codes;
  for (const auto& line : Lines()) codes.emplace_back(absl::StrCat(line.stratum(), " ", line.code()), line.municipalities());
  EXPECT_THAT(codes, ElementsAre(Pair("total total", 6), Pair("size_class UNDER_50K", 4), Pair("size_class 50K_TO_100K", 0),
                                 Pair("size_class 100K_TO_200K", 1), Pair("size_class 200K_AND_OVER", 1), Pair("province Drenthe", 2),
                                 Pair("province Utrecht", 4), Pair("group G4", 1)));
  EXPECT_EQ(Lines()[1].label(), "Minder dan 50.000 inwoners");
}

TEST_F(ProgressTest, ComparesWithThePlanAndWithEarlierWaves) {
  auto& target = *wave_->wave.add_response_targets();
  target.set_stratum("size_class");
  target.set_code("under_50k");
  target.set_percent(60);
  ResponseSoFar so_far = Usable({{"total", "total", 2, 33}, {"size_class", "UNDER_50K", 1, 25}});
  so_far.earlier.push_back(
      {"surveys/s/waves/2022", *Usable({{"size_class", "UNDER_50K", 1, 10}}).now, *Usable({{"size_class", "UNDER_50K", 9, 45}}).now});
  const auto lines = Lines(so_far);
  EXPECT_EQ(lines[0].usable(), 2);
  EXPECT_FALSE(lines[0].has_target_percent());
  EXPECT_THAT(lines[0].earlier(), IsEmpty());
  EXPECT_EQ(lines[1].response_percent(), 25);
  EXPECT_EQ(lines[1].target_percent(), 60);
  // 60 percent of 4 is 2.4, so 3 are wanted.
  EXPECT_EQ(lines[1].wanted(), 2);
  ASSERT_EQ(lines[1].earlier_size(), 1);
  EXPECT_EQ(lines[1].earlier(0).wave(), "surveys/s/waves/2022");
  EXPECT_EQ(lines[1].earlier(0).response_percent(), 10);
  EXPECT_EQ(lines[1].earlier(0).final_percent(), 45);
  EXPECT_FALSE(lines[2].has_usable());

  const auto unknown = Lines();
  EXPECT_FALSE(unknown[1].has_usable());
  EXPECT_EQ(unknown[1].target_percent(), 60);
  EXPECT_FALSE(unknown[1].has_wanted());
}

TEST_F(ProgressTest, PhonesWhoIsSilentStalledOrCannotBeReached) {
  // Not invited: GM0001. Mailed once: GM0002.
  Invite(MakeInvitation({"GM0002"}));
  Mail(MakeMessage("GM0002", v1::MESSAGE_STATE_SENT));
  Invite(MakeInvitation({"GM0003"}, ""));
  Invite(MakeInvitation({"GM0004"}, ""));
  Mail(MakeMessage("GM0004", v1::MESSAGE_STATE_BOUNCED));
  Open(MakeInvitation({"GM0005"}), "2026-03-25 10:00");
  Invite(MakeInvitation({"GM0006"}));
  Mail(MakeMessage("GM0006", v1::MESSAGE_STATE_SENT, survey::v1::MAIL_KIND_REMINDER));
  EXPECT_THAT(Calls("2026-04-01 09:59"),
              testing::UnorderedElementsAre(Pair("GM0003", v1::CALL_REASON_NO_CONTACT), Pair("GM0004", v1::CALL_REASON_BOUNCED),
                                            Pair("GM0006", v1::CALL_REASON_SILENT)));
  EXPECT_THAT(Calls("2026-04-01 10:00"), testing::Contains(Pair("GM0005", v1::CALL_REASON_STALLED)));
  // Somebody goes on with it.
  facts_.responses["GM0005"] = MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM0005"}, 1, "2026-03-31 10:00");
  EXPECT_THAT(Calls("2026-04-01 10:00"), testing::Not(testing::Contains(Pair("GM0005", testing::_))));
  facts_.submitted = {"GM0003", "GM0004", "GM0006"};
  EXPECT_THAT(Calls("2026-04-01 10:00"), IsEmpty());
}

TEST_F(ProgressTest, PhonesAboutAHandOverOnlyWhenWhoTookOverCannotBeReached) {
  InviteHandedOver("GM0001", true, true);
  InviteHandedOver("GM0002", false, true);
  Mail(MakeMessageToHolder("GM0002", "h2", v1::MESSAGE_STATE_BOUNCED));
  InviteHandedOver("GM0003", false, true);
  EXPECT_THAT(Calls("2026-04-01 10:00"), ElementsAre(Pair("GM0003", v1::CALL_REASON_NO_CONTACT), Pair("GM0002", v1::CALL_REASON_BOUNCED)));
}

TEST_F(ProgressTest, PhonesWhoseMailFailedAndNobodyElse) {
  Invite(MakeInvitation({"GM0001"}));
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_FAILED));
  // It went after all.
  Invite(MakeInvitation({"GM0002"}));
  Mail(MakeMessage("GM0002", v1::MESSAGE_STATE_FAILED));
  Mail(MakeMessage("GM0002", v1::MESSAGE_STATE_SENT));
  // Has the link from somebody.
  Open(MakeInvitation({"GM0003"}), "2026-03-31 10:00");
  Mail(MakeMessage("GM0003", v1::MESSAGE_STATE_FAILED));
  // Whoever opened the link has handed it over, and mail to who took over failed; or to the contact before, which does not matter.
  InviteHandedOver("GM0004", true, true);
  Mail(MakeMessage("GM0004", v1::MESSAGE_STATE_SENT));
  Mail(MakeMessageToHolder("GM0004", "h2", v1::MESSAGE_STATE_FAILED));
  InviteHandedOver("GM0005", true, true);
  Mail(MakeMessage("GM0005", v1::MESSAGE_STATE_FAILED));
  Invite(MakeInvitation({"GM0006"}));
  Mail(MakeMessage("GM0006", v1::MESSAGE_STATE_FAILED));
  facts_.submitted = {"GM0006"};
  EXPECT_THAT(Calls("2026-04-01 10:00"),
              testing::UnorderedElementsAre(Pair("GM0001", v1::CALL_REASON_BOUNCED), Pair("GM0004", v1::CALL_REASON_BOUNCED)));
}

TEST_F(ProgressTest, WhoGotTheLinkAnotherWayIsLeftToIt) {
  Open(MakeInvitation({"GM0001"}, ""), "2026-03-31 10:00");
  EXPECT_THAT(Calls("2026-04-01 10:00"), IsEmpty());
  EXPECT_THAT(Calls("2026-04-07 10:00"), ElementsAre(Pair("GM0001", v1::CALL_REASON_STALLED)));
}

TEST_F(ProgressTest, WhomNoReminderReachedIsNotSilent) {
  Invite(MakeInvitation({"GM0001"}));
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_SENT));
  Mail(MakeMessage("GM0001", v1::MESSAGE_STATE_BOUNCED, survey::v1::MAIL_KIND_REMINDER));
  EXPECT_THAT(Calls("2026-04-01 10:00"), IsEmpty());
}

TEST_F(ProgressTest, PhonesTheStrataWithTheLowestResponseFirst) {
  for (const char* const code : {"GM0001", "GM0002", "GM0003", "GM0004", "GM0005", "GM0006"}) Invite(MakeInvitation({code}, ""));
  const auto codes = [&](const ResponseSoFar& so_far) {
    std::vector<std::string> listed;
    for (const auto& [code, reason] : Calls("2026-04-01 10:00", so_far)) listed.push_back(code);
    return listed;
  };
  // Nobody knows of any response: all are as low, and the first of their strata counts.
  EXPECT_THAT(codes({}), ElementsAre("GM0001", "GM0002", "GM0003", "GM0004", "GM0005", "GM0006"));
  // Of the small ones 3 of 4, of Drenthe 1 of 2, of Utrecht 3 of 4, of the largest 1 of 1.
  const auto so_far = Usable({{"total", "total", 4, 67},
                              {"size_class", "UNDER_50K", 3, 75},
                              {"size_class", "100K_TO_200K", 0, 0},
                              {"size_class", "200K_AND_OVER", 1, 100},
                              {"province", "Drenthe", 1, 50},
                              {"province", "Utrecht", 3, 75}});
  EXPECT_THAT(codes(so_far), ElementsAre("GM0005", "GM0004", "GM0001", "GM0002", "GM0003", "GM0006"));
  // What is wanted of a stratum changes nothing.
  auto& target = *wave_->wave.add_response_targets();
  target.set_stratum("size_class");
  target.set_code("100k_to_200k");
  target.set_percent(1);
  EXPECT_THAT(codes(so_far), ElementsAre("GM0005", "GM0004", "GM0001", "GM0002", "GM0003", "GM0006"));
}

TEST(CallPlaceTest, IsReadAsItWasWritten) {
  const CallPlace place{.responded = 3, .municipalities = 7, .line = 5, .reason = v1::CALL_REASON_SILENT, .code = "GM0363"};
  const auto read = CallPlace::Parse(place.ToText());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ToText(), place.ToText());
  EXPECT_FALSE(*read < place);
  EXPECT_FALSE(place < *read);
  for (const char* const text : {"", "7", "1/2/3/4", "a/2/3/4/GM0363", "1/2/3/4/GM0363/", "99999999999/2/3/4/GM0363"}) {
    EXPECT_FALSE(CallPlace::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace peiling::fieldwork
