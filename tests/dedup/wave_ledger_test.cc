#include "services/dedup/wave_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/paging/paging.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"
#include "services/dedup/cleaning_report.h"
#include "services/dedup/documents.h"
#include "services/dedup/wave_view.h"
#include "tests/dedup/ledger_fixture.h"

namespace peiling::dedup {
namespace {

using intake::v1::SubmissionEvent;
using testing::ElementsAre;

TEST_F(WaveLedgerTest, OneStepIsOneEvent) {
  Submit(
      {{.id = "1", .municipality = "GM0001"}, {.id = "2", .municipality = "GM0002", .submitted = false}, {.id = "3", .municipality = "?"}});
  const auto feed = Feed();
  ASSERT_EQ(feed.size(), 1u);
  EXPECT_EQ(feed[0].submission_sequence(), 3u);
  ASSERT_EQ(feed[0].records_size(), 2);
  EXPECT_EQ(feed[0].records(0).municipality_code(), "GM0001");
  EXPECT_FALSE(feed[0].records(1).complete());
  ASSERT_EQ(feed[0].decisions_size(), 3);
  EXPECT_FALSE(feed[0].decisions(0).has_resolution()) << "what was typed stays out of the feed";
  EXPECT_TRUE(feed[0].decisions(0).has_started_at());
  EXPECT_THAT(feed[0].decisions(1).municipality_codes(), ElementsAre("GM0002"));
}

TEST_F(WaveLedgerTest, BetterOneReplacesTheRecord) {
  Submit({{.id = "1", .answered = 5, .person = "p"}});
  Submit({{.id = "2", .answered = 6, .person = "p"}});
  EXPECT_EQ(RecordOf("GM0001")->response(), ResponseName("2"));
  EXPECT_EQ(DecisionOn("1").disposition(), v1::DISPOSITION_RESTART);
  EXPECT_EQ(DecisionOn("1").superseded_by(), ResponseName("2"));
  const auto survey_case = WaveView(*store_, kWave).GetCase([] {
    v1::GetCaseRequest request;
    request.set_name(absl::StrCat(kWave, "/cases/GM0001"));
    return request;
  }());
  ASSERT_TRUE(survey_case.ok());
  ASSERT_EQ(survey_case->survey_case().decisions_size(), 2);
  EXPECT_EQ(survey_case->survey_case().decisions(0).response(), ResponseName("2")) << "the kept one first";
  EXPECT_EQ(survey_case->survey_case().titles(0), "Aa");
}

TEST_F(WaveLedgerTest, WithdrawalBringsTheOtherBack) {
  Submit({{.id = "1", .answered = 5}, {.id = "2", .answered = 6}});
  Submit({{.id = "2", .answered = 6, .withdrawn = true}});
  EXPECT_EQ(RecordOf("GM0001")->response(), ResponseName("1"));
  EXPECT_EQ(Report().withdrawn(), 1);
  Submit({{.id = "1", .answered = 5, .withdrawn = true}});
  EXPECT_FALSE(RecordOf("GM0001").has_value());
  EXPECT_THAT(Feed().back().removed_municipality_codes(), ElementsAre("GM0001"));
  EXPECT_EQ(CaseOf("GM0001")->state(), v1::CASE_STATE_EMPTY);
}

TEST_F(WaveLedgerTest, ChangedNameMovesAResponseToAnotherCase) {
  Submit({{.id = "1", .municipality = "GM0001"}});
  Submit({{.id = "1", .municipality = "GM0002"}});
  EXPECT_FALSE(CaseOf("GM0001").has_value());
  EXPECT_FALSE(RecordOf("GM0001").has_value());
  EXPECT_TRUE(RecordOf("GM0002").has_value());
  EXPECT_EQ(Report().records(), 1);
  EXPECT_EQ(Report().started(), 1);
}

TEST_F(WaveLedgerTest, JointResponseIsTheRecordOfEach) {
  Submit({{.id = "1", .municipality = "GM0001+GM0002+GM0003"}});
  EXPECT_THAT(RecordOf("GM0002")->joint_with(), ElementsAre("GM0001", "GM0003"));
  EXPECT_EQ(Report().kept(), 1);
  EXPECT_EQ(Report().records(), 3);
  EXPECT_EQ(Report().joint_questionnaires(), 1);
  // A municipality of the three sends a better one of its own: the records of the others know.
  Submit({{.id = "2", .municipality = "GM0003", .answered = 11}});
  EXPECT_THAT(RecordOf("GM0001")->joint_with(), ElementsAre("GM0002"));
  EXPECT_THAT(RecordOf("GM0003")->joint_with(), testing::IsEmpty());
  EXPECT_EQ(RecordOf("GM0003")->response(), ResponseName("2"));
  EXPECT_THAT(DecisionOn("1").kept_for(), ElementsAre("GM0001", "GM0002"));
  EXPECT_EQ(Feed().back().records_size(), 3);
  EXPECT_EQ(Report().records(), 3);
}

TEST_F(WaveLedgerTest, AmbiguousCaseWaitsForARuling) {
  Submit({{.id = "101", .municipality = "GM0001?GM0002"}, {.id = "103", .municipality = "GM0001?GM0002", .submitted = false}});
  EXPECT_EQ(Report().waiting_cases(), 1);
  EXPECT_EQ(Report().ambiguous(), 2);
  EXPECT_EQ(Report().records(), 0);
  ASSERT_TRUE(Rule(Assign("101", "GM0001")).ok());
  EXPECT_EQ(Report().waiting_cases(), 1) << "the other still waits";
  EXPECT_EQ(Report().records(), 1);
  ASSERT_TRUE(Rule(Assign("103", "GM0001")).ok());
  EXPECT_EQ(Report().waiting_cases(), 0);
  EXPECT_EQ(Report().colleague_duplicates(), 1);
  EXPECT_FALSE(CaseOf("GM0001-GM0002").has_value());
  EXPECT_EQ(DecisionOn("101").ruling(), absl::StrCat(kWave, "/rulings/1"));
}

TEST_F(WaveLedgerTest, RetractedRulingIsAsIfItHadNeverBeen) {
  Submit({{.id = "1", .answered = 5}, {.id = "2", .answered = 6}, {.id = "3", .municipality = "GM0001?GM0002"}});
  const auto before = State();
  const std::vector<v1::Ruling> rulings = {Keep("1", "GM0001"), Exclude("2"), Assign("3", "GM0002"), Split("1", {"GM0002", "GM0003"})};
  for (size_t i = 0; i < rulings.size(); ++i) {
    ASSERT_TRUE(Rule(rulings[i]).ok());
    EXPECT_NE(State(), before);
    ASSERT_TRUE(Retract(static_cast<int>(i) + 1).ok());
    EXPECT_EQ(State(), before);
  }
  v1::ListRulingsRequest request;
  const auto listed = WaveView(*store_, kWave).ListRulings(request, {});
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->rulings_size(), 4);
  EXPECT_EQ(listed->rulings(0).retraction_reason(), "toch niet");
  EXPECT_EQ(listed->rulings(3).name(), absl::StrCat(kWave, "/rulings/4"));
}

TEST_F(WaveLedgerTest, RulingsThatCannotBe) {
  Submit({{.id = "1"}, {.id = "2", .municipality = "GM0002"}});
  EXPECT_EQ(status::Reason(Rule(Exclude("9")).status()), "RESPONSE_NOT_FOUND");
  EXPECT_EQ(status::Reason(Rule(Assign("1", "GM9999")).status()), "NOT_IN_FRAME");
  EXPECT_EQ(status::Reason(Rule(Split("1", {"GM0001", "GM9999"})).status()), "NOT_IN_FRAME");
  EXPECT_EQ(status::Reason(Rule(Keep("2", "GM0001")).status()), "NOT_IN_CASE");
  ASSERT_TRUE(Rule(Assign("1", "GM0002")).ok());
  EXPECT_EQ(status::Reason(Rule(Assign("1", "GM0003")).status()), "RULING_CONFLICT");
  EXPECT_EQ(status::Reason(Retract(2).status()), "RULING_NOT_FOUND");
  ASSERT_TRUE(Retract(1).ok());
  EXPECT_EQ(status::Reason(Retract(1).status()), "ALREADY_RETRACTED");
  EXPECT_TRUE(Rule(Assign("1", "GM0003")).ok());
}

TEST_F(WaveLedgerTest, RepeatedRequestGetsTheFirstAnswer) {
  Submit({{.id = "1"}});
  v1::CreateRulingRequest request;
  request.set_parent(kWave);
  *request.mutable_ruling() = Exclude("1");
  request.set_request_id("r");
  const auto first = ledger_->CreateRuling(request);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->position().records(), 2u);
  const auto again = ledger_->CreateRuling(request);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(Feed().size(), 2u);
  *request.mutable_ruling() = Assign("1", "GM0002");
  EXPECT_EQ(status::Reason(ledger_->CreateRuling(request).status()), "REQUEST_ID_REUSED");
}

TEST_F(WaveLedgerTest, EventsTakenInBeforeArePassedOver) {
  Submit({{.id = "1"}, {.id = "2"}});
  const auto before = State();
  sequence_ = 0;
  Submit({{.id = "1"}, {.id = "2"}});
  EXPECT_EQ(Feed().size(), 1u);
  Submit({{.id = "2"}});  // New, and the same as before: an event that says how far we are.
  EXPECT_EQ(State(), before);
  ASSERT_EQ(Feed().size(), 2u);
  EXPECT_EQ(Feed()[1].submission_sequence(), 3u);
  EXPECT_EQ(Feed()[1].decisions_size() + Feed()[1].records_size(), 0);
}

TEST_F(WaveLedgerTest, MissingEventIsRefused) {
  SubmissionEvent event;
  event.set_sequence(2);
  *event.mutable_response() = MakeResponse({.id = "1"});
  EXPECT_EQ(status::Reason(ledger_->Apply(0, {event}, TestResolve)), "SEQUENCE_GAP");
  EXPECT_TRUE(Feed().empty());
}

TEST_F(WaveLedgerTest, ResolverThatFailsChangesNothing) {
  SubmissionEvent event;
  event.set_sequence(1);
  *event.mutable_response() = MakeResponse({.id = "1"});
  const Resolve down = [](const auto&, const auto&) { return absl::UnavailableError("down"); };
  EXPECT_TRUE(absl::IsUnavailable(ledger_->Apply(0, {event}, down)));
  EXPECT_TRUE(Feed().empty());
  EXPECT_EQ(ledger_->Apply(0, {event}, TestResolve), absl::OkStatus());
}

TEST_F(WaveLedgerTest, WaveThatIsNotSetUpTakesNothing) {
  WaveLedger fresh(*store_, "surveys/s/waves/other", StoppedClock);
  EXPECT_FALSE(*fresh.Load());
  EXPECT_EQ(status::Reason(fresh.Apply(0, {SubmissionEvent()}, TestResolve)), "WAVE_NOT_READY");
  EXPECT_EQ(status::Reason(fresh.CreateRuling({}).status()), "WAVE_NOT_READY");
}

TEST_F(WaveLedgerTest, AnotherFrameDecidesEverythingAgain) {
  Submit({{.id = "1", .municipality = "GM0001"}, {.id = "2", .municipality = "GM0002"}, {.id = "3", .municipality = "GM0001+GM0002"}});
  const auto before = State();
  WaveSource later = TestSource();
  later.wave.set_frame_date("2023-01-01");
  later.frame.mutable_municipalities()->DeleteSubrange(1, 1);  // GM0002 is gone.
  ASSERT_EQ(ledger_->Prepare(later, TestResolve), absl::OkStatus());
  EXPECT_EQ(DecisionOn("2").disposition(), v1::DISPOSITION_OUT_OF_FRAME);
  EXPECT_FALSE(RecordOf("GM0002").has_value());
  EXPECT_FALSE(CaseOf("GM0002").has_value());
  EXPECT_THAT(DecisionOn("3").municipality_codes(), ElementsAre("GM0001"));
  EXPECT_EQ(Report().municipalities(), 8);
  EXPECT_EQ(Report().started(), 3);
  const size_t events = Feed().size();
  ASSERT_EQ(ledger_->Prepare(later, TestResolve), absl::OkStatus());
  EXPECT_EQ(Feed().size(), events) << "the same setup again changes nothing";
  ASSERT_EQ(ledger_->Prepare(TestSource(), TestResolve), absl::OkStatus());
  EXPECT_EQ(State(), before);
}

TEST_F(WaveLedgerTest, SetupThatEndsHalfWayIsDoneAgain) {
  Submit({{.id = "1", .municipality = "GM0002"}});
  WaveSource later = TestSource();
  later.frame.mutable_municipalities()->DeleteSubrange(1, 1);
  const Resolve down = [](const auto&, const auto&) { return absl::UnavailableError("down"); };
  EXPECT_FALSE(ledger_->Prepare(later, down).ok());
  WaveLedger restarted(*store_, kWave, StoppedClock);
  ASSERT_TRUE(*restarted.Load());
  ASSERT_EQ(restarted.Prepare(later, TestResolve), absl::OkStatus());
  EXPECT_EQ(DecisionOn("1").disposition(), v1::DISPOSITION_OUT_OF_FRAME);
}

TEST_F(WaveLedgerTest, TwoProcessesOverOneStoreDoNotHurtEachOther) {
  WaveLedger other(*store_, kWave, StoppedClock);
  ASSERT_TRUE(*other.Load());
  std::vector<SubmissionEvent> events;
  for (int i = 1; i <= 200; ++i) {
    SubmissionEvent& event = events.emplace_back();
    event.set_sequence(i);
    *event.mutable_response() = MakeResponse({.id = std::to_string(i), .municipality = absl::StrCat("GM000", i % 9 + 1), .minute = i});
  }
  const auto follow = [&](WaveLedger& ledger) {
    for (size_t at = 0; at < events.size(); at += 3) {
      const absl::Span<const SubmissionEvent> group = absl::MakeConstSpan(events).subspan(at, 3);
      // The loser of ten races starts again from its cursor, as a follower does.
      while (!ledger.Apply(0, group, TestResolve).ok()) {
      }
    }
  };
  std::thread second([&] { follow(other); });
  follow(*ledger_);
  second.join();
  EXPECT_EQ(Report().started(), 200);
  EXPECT_EQ(Report().records(), 9);
  EXPECT_EQ(*ledger_->SubmissionSequence(0), 200u);
}

TEST_F(WaveLedgerTest, EventsStayBelowTheSizeOfAMessage) {
  std::vector<SubmissionEvent> events;
  for (int i = 1; i <= 9; ++i) {
    SubmissionEvent& event = events.emplace_back();
    event.set_sequence(i);
    *event.mutable_response() = MakeResponse({.id = std::to_string(i), .municipality = absl::StrCat("GM000", i)});
    auto& open = *event.mutable_response()->mutable_answers()->add_answers();
    open.set_question("Open");
    open.set_text(std::string(1 << 20, 'x'));
  }
  ASSERT_EQ(ledger_->Apply(0, events, TestResolve), absl::OkStatus());
  EXPECT_EQ(Report().records(), 9);
  ASSERT_GT(Feed().size(), 2u);
  EXPECT_EQ(Feed().front().submission_sequence(), 0u) << "all is counted with the last part";
  EXPECT_EQ(Feed().back().submission_sequence(), 9u);
  EXPECT_EQ(WaveView(*store_, kWave).GetCleaningReport()->position().records(), Feed().size());
  for (const auto& event : Feed()) EXPECT_LT(event.ByteSizeLong(), 4u << 20);
  v1::ListRecordsRequest request;
  paging::Page page;
  int records = 0;
  do {
    const auto listed = WaveView(*store_, kWave).ListRecords(request, page);
    ASSERT_TRUE(listed.ok());
    EXPECT_LT(listed->ByteSizeLong(), 4u << 20) << "and so do pages";
    records += listed->records_size();
    request.set_page_token(listed->next_page_token());
    status::BadRequest bad;
    page = paging::ReadPage(request, bad);
  } while (!request.page_token().empty());
  EXPECT_EQ(records, 9);
}

// ---- Properties ----

class ReplayTest : public WaveLedgerTest {
 protected:
  // The state after a history in groups of at most `batch`, the rulings made after it. With a path the store is closed and opened again at
  // random, and the feed read again from somewhere before.
  std::map<std::string, std::string> Play(const std::vector<intake::v1::Response>& history, const std::vector<v1::Ruling>& rulings,
                                          size_t batch, std::mt19937_64& random, const std::string& path = "") {
    const std::string address = path.empty() ? "sqlite::memory:" : "sqlite:" + path;
    Open(address);
    const auto events = AsEvents(history);
    size_t at = 0;
    while (at < events.size()) {
      const size_t count = std::min(1 + random() % batch, events.size() - at);
      EXPECT_EQ(ledger_->Apply(0, absl::MakeConstSpan(events).subspan(at, count), TestResolve), absl::OkStatus());
      at += count;
      if (!path.empty() && random() % 4 == 0) {
        Open(address);
        at = *ledger_->SubmissionSequence(0);
        at -= std::min<size_t>(at, random() % 5);
      }
    }
    for (const v1::Ruling& ruling : rulings) Rule(ruling).IgnoreError();  // Some conflict; the same ones each time.
    return State();
  }
};

std::vector<v1::Ruling> RandomRulings(std::mt19937_64& random, int responses) {
  std::vector<v1::Ruling> rulings;
  for (int i = 0; i < 6; ++i) {
    const std::string id = std::to_string(1 + random() % responses);
    const std::string code = absl::StrCat("GM000", 1 + random() % 9);
    switch (random() % 4) {
      case 0:
        rulings.push_back(Assign(id, code));
        break;
      case 1:
        rulings.push_back(Keep(id, code));
        break;
      case 2:
        rulings.push_back(Exclude(id));
        break;
      default:
        rulings.push_back(Split(id, {"GM0001", "GM0009"}));
    }
  }
  return rulings;
}

TEST_F(ReplayTest, SameBytesWhateverTheBatchesAndCrashes) {
  std::mt19937_64 random(2);
  const std::filesystem::path directory = testing::TempDir() + "/dedup_replay_" + std::to_string(::getpid());
  for (int round = 0; round < 15; ++round) {
    std::filesystem::create_directories(directory);
    const auto history = RandomHistory(random, 60);
    const auto rulings = RandomRulings(random, 30);
    const auto one_by_one = Play(history, rulings, 1, random);
    EXPECT_EQ(Play(history, rulings, 7, random), one_by_one);
    EXPECT_EQ(Play(history, rulings, 256, random), one_by_one);
    EXPECT_EQ(Play(history, rulings, 9, random, directory / "dedup.db"), one_by_one);
    ledger_.reset();
    store_.reset();
    std::filesystem::remove_all(directory);
  }
}

TEST_F(ReplayTest, OrderOfIndependentEventsDoesNotMatter) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 15; ++round) {
    // The latest of each response counts, so take one of each and any order.
    std::map<std::string, intake::v1::Response> latest;
    for (const auto& response : RandomHistory(random, 60)) latest[response.name()] = response;
    std::vector<intake::v1::Response> history;
    history.reserve(latest.size());
    for (const auto& [name, response] : latest) history.push_back(response);
    const auto sorted = Play(history, {}, 5, random);
    std::shuffle(history.begin(), history.end(), random);
    EXPECT_EQ(Play(history, {}, 5, random), sorted);
  }
}

TEST_F(ReplayTest, ReportAddsUpAndTheFeedTellsAll) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 15; ++round) {
    const auto history = RandomHistory(random, 80);
    Play(history, RandomRulings(random, 40), 6, random);
    std::set<std::string> started;
    for (const auto& response : history) started.insert(response.name());
    const v1::CleaningReport report = Report();
    EXPECT_EQ(report.started(), static_cast<int64_t>(started.size()));
    EXPECT_EQ(SumOfDispositions(report), report.started());
    EXPECT_EQ(report.complete() + report.partial(), report.records());
    EXPECT_EQ(report.SerializeAsString(), Recount().SerializeAsString());
    EXPECT_EQ(Followed(), Stored());
  }
}

TEST_F(ReplayTest, EveryKeptResponseIsTheRecordItSaysItIs) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 15; ++round) {
    Play(RandomHistory(random, 80), RandomRulings(random, 40), 6, random);
    std::map<std::string, std::string> records;
    for (const auto& document : Documents(documents::kRecords)) {
      v1::Record record;
      ASSERT_TRUE(record.ParseFromString(document.value));
      records[record.municipality_code()] = record.response();
    }
    std::map<std::string, std::string> kept;
    for (const auto& document : Documents(documents::kDecisions)) {
      v1::Decision decision;
      ASSERT_TRUE(decision.ParseFromString(document.value));
      for (const auto& code : decision.kept_for()) EXPECT_TRUE(kept.emplace(code, decision.response()).second) << "two records of " << code;
      EXPECT_EQ(decision.disposition() == v1::DISPOSITION_KEPT, decision.kept_for_size() > 0);
    }
    EXPECT_EQ(records, kept);
  }
}

}  // namespace
}  // namespace peiling::dedup
