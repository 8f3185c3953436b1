#include "services/intake/submission_batcher.h"

#include <stdlib.h>

#include <filesystem>
#include <future>
#include <latch>
#include <numeric>
#include <set>
#include <thread>

#include "services/common/calendar/amsterdam.h"
#include "services/common/server/metrics.h"
#include "services/common/storage/receipts.h"
#include "services/intake/erasure.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SubmissionBatcherTest : public ::testing::Test {
 protected:
  void SetUp() override { rooms_.Apply(); }

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  Rooms rooms_{*store_};
};

TEST_F(SubmissionBatcherTest, TakesInAResponse) {
  v1::SubmitResponseRequest request = Submission("a", "LET OP");
  request.mutable_response()->set_language("nl");
  request.mutable_response()->set_test(true);
  const auto response = rooms_.Submit(request);
  ASSERT_TRUE(response.ok()) << response.status();
  const v1::Response& stored = response->response();
  EXPECT_THAT(stored.name(), ::testing::MatchesRegex("surveys/poll/waves/one/responses/r-[0-9a-f]{22}"));
  EXPECT_EQ(stored.state(), v1::RESPONSE_STATE_SUBMITTED);
  EXPECT_EQ(stored.language(), "nl");
  EXPECT_TRUE(stored.test());
  EXPECT_TRUE(stored.has_submitted_at());
  EXPECT_EQ(stored.answers().answers_size(), 1);
  EXPECT_EQ(stored.respondent_key().size(), 32u);
  ASSERT_EQ(stored.issues_size(), 1) << "warnings are kept";
  EXPECT_EQ(stored.completeness().answered(), 2) << "personal answers count";
  EXPECT_EQ(response->position().submissions(), 1u);
  EXPECT_EQ(stored.DebugString(), rooms_.responses.Get(stored.name(), 1)->response.DebugString());
}

TEST_F(SubmissionBatcherTest, PersonalAnswersGoNowhereElse) {
  v1::SubmitResponseRequest request = Submission("a");
  AddText(*request.mutable_response(), "Q2", "geheime functie");
  const auto response = rooms_.Submit(request);
  ASSERT_TRUE(response.ok());
  const std::string name = response->response().name();
  EXPECT_EQ(rooms_.responses.Get(name, 1)->personal.answers_size(), 2);
  ASSERT_TRUE(rooms_.Submit(request).ok());
  v1::WithdrawResponseRequest withdrawal;
  withdrawal.set_name(name);
  withdrawal.set_request_id("w");
  ASSERT_TRUE(rooms_.responses.Withdraw(withdrawal, 1).ok());

  for (const std::string& event : rooms_.Feed()) EXPECT_THAT(event, Not(::testing::ContainsRegex("Jansen|geheim")));
  for (const auto& document : Must(store_->List(kWaveName, "", "", 1000))) {
    if (document.key.starts_with("personal/")) continue;
    EXPECT_THAT(document.value, Not(::testing::ContainsRegex("Jansen|geheim"))) << document.key;
  }
}

TEST_F(SubmissionBatcherTest, RefusesWhatValidationRefuses) {
  v1::SubmitResponseRequest request = Submission("a", "FOUT");
  AddText(*request.mutable_response(), "Q2", "FOUT");
  const auto status = rooms_.Submit(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status::Reason(status), "RESPONSE_INVALID");
  EXPECT_THAT(status::FieldViolations(status), ElementsAre(std::pair("Q2", "niet goed"), std::pair("Q3", "niet goed")));
  EXPECT_TRUE(rooms_.Feed().empty());
  EXPECT_TRUE(rooms_.catalog.Apply(Documents({Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel")})).ok()) << "the wave is not in use";
}

TEST_F(SubmissionBatcherTest, ValidateOnlyStoresNothing) {
  v1::SubmitResponseRequest request = Submission("a");
  request.set_validate_only(true);
  const auto checked = rooms_.Submit(request);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->response().name(), "");
  EXPECT_EQ(checked->response().answers().answers_size(), 1) << "without personal answers";
  EXPECT_TRUE(store_->List(kWaveName, "", "", 10)->empty());
  request.set_validate_only(false);
  EXPECT_TRUE(rooms_.Submit(request).ok()) << "a check leaves no receipt";
}

TEST_F(SubmissionBatcherTest, ARepeatGetsTheFirstAnswer) {
  const auto first = rooms_.Submit(Submission("a", "LET OP"));
  ASSERT_TRUE(rooms_.Submit(Submission("b")).ok());
  const auto repeat = rooms_.Submit(Submission("a", "LET OP"));
  ASSERT_TRUE(first.ok() && repeat.ok()) << repeat.status();
  EXPECT_EQ(repeat->DebugString(), first->DebugString());
  EXPECT_EQ(rooms_.Feed().size(), 2u);
  const auto reused = rooms_.Submit(Submission("a", "Edam")).status();
  EXPECT_EQ(reused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status::Reason(reused), "REQUEST_ID_REUSED");
}

// A submission of somebody else's, otherwise the same.
v1::SubmitResponseRequest WithName(const std::string& request_id, const std::string& name) {
  v1::SubmitResponseRequest request = Submission(request_id);
  request.mutable_response()->mutable_answers()->mutable_answers(0)->set_text(name);
  return request;
}

// Responses by what became of them, as the metrics have it.
double Counted(const std::string& outcome) {
  for (const auto& family : server::Metrics().Collect()) {
    if (family.name != "peiling_intake_responses_total") continue;
    for (const auto& metric : family.metric) {
      if (metric.label.front().value == outcome) return metric.counter.value;
    }
  }
  return 0;
}

TEST_F(SubmissionBatcherTest, CountsOnlyWhatIsStoredAsSubmitted) {
  const double submitted = Counted("submitted");
  const double refused = Counted("refused");
  v1::SubmitResponseRequest judged = Submission("judged");
  judged.set_validate_only(true);
  ASSERT_TRUE(rooms_.Submit(judged).ok());
  EXPECT_EQ(Counted("submitted"), submitted);
  ASSERT_TRUE(rooms_.Submit(Submission("a")).ok());
  EXPECT_EQ(Counted("submitted"), submitted + 1);
  ASSERT_TRUE(rooms_.Submit(Submission("a")).ok());
  EXPECT_EQ(Counted("submitted"), submitted + 1) << "a repeat";
  EXPECT_EQ(Counted("refused"), refused);
  EXPECT_FALSE(rooms_.Submit(Submission("b", "FOUT")).ok());
  EXPECT_EQ(Counted("refused"), refused + 1);
}

TEST_F(SubmissionBatcherTest, ARequestWithOtherPersonalAnswersIsAnother) {
  ASSERT_TRUE(rooms_.Submit(Submission("a")).ok());
  EXPECT_EQ(status::Reason(rooms_.Submit(WithName("a", "Pietersen")).status()), "REQUEST_ID_REUSED");
  v1::SubmitResponseRequest anonymous = WithName("a", "");
  EXPECT_EQ(status::Reason(rooms_.Submit(anonymous).status()), "REQUEST_ID_REUSED");
  EXPECT_EQ(rooms_.Feed().size(), 1u);
}

TEST_F(SubmissionBatcherTest, OnceTheyAreErasedNothingTellsWhatPersonalAnswersWere) {
  const auto first = Must(rooms_.Submit(Submission("a")));
  const auto other = Must(rooms_.Submit(WithName("b", "Pietersen")));
  // Receipts of the same response are alike whoever gave it.
  const auto receipt = [this](const std::string& id) { return Must(store_->Get(kWaveName, storage::ReceiptKey(id)))->value.substr(0, 32); };
  EXPECT_EQ(receipt("a"), receipt("b"));

  Erasure erasure(*store_, rooms_.catalog, rooms_.responses);
  v1::ErasePersonalAnswersRequest erase;
  erase.set_name(first.response().name());
  erase.set_request_id("e");
  ASSERT_TRUE(erasure.Erase(erase, "").ok());
  for (const char* const name : {"Jansen", "Pietersen", ""}) {
    EXPECT_EQ(Must(rooms_.Submit(WithName("a", name))).response().name(), first.response().name()) << name;
  }
}

TEST_F(SubmissionBatcherTest, ARepeatGetsTheFirstAnswerAfterAWithdrawal) {
  const auto first = rooms_.Submit(Submission("a"));
  v1::WithdrawResponseRequest withdrawal;
  withdrawal.set_name(first->response().name());
  withdrawal.set_request_id("w");
  ASSERT_TRUE(rooms_.responses.Withdraw(withdrawal, 1).ok());
  EXPECT_EQ(rooms_.Submit(Submission("a"))->DebugString(), first->DebugString());
}

TEST_F(SubmissionBatcherTest, UnknownWaves) {
  v1::SubmitResponseRequest request = Submission("a");
  request.set_parent("surveys/poll/waves/no");
  EXPECT_EQ(status::Reason(rooms_.Submit(request).status()), "WAVE_NOT_FOUND");
}

TEST_F(SubmissionBatcherTest, SendsTheQuestionnaireWhenValidationForgotIt) {
  ASSERT_TRUE(rooms_.Submit(Submission("a")).ok());
  ASSERT_TRUE(rooms_.Submit(Submission("b")).ok());
  EXPECT_EQ(rooms_.validation.calls().size(), 3u) << "once without knowing, then by fingerprint alone";
  rooms_.validation.Forget();
  EXPECT_TRUE(rooms_.Submit(Submission("c")).ok());
}

TEST_F(SubmissionBatcherTest, ValidationsErrorsAreTheSubmissions) {
  ON_CALL(rooms_.validation, ValidateResponses)
      .WillByDefault(::testing::Return(status::ToGrpc(status::Error(absl::StatusCode::kUnavailable, "GONE", "gone"))));
  EXPECT_EQ(rooms_.Submit(Submission("a")).status().code(), absl::StatusCode::kUnavailable);
  ON_CALL(rooms_.validation, ValidateResponses).WillByDefault(::testing::Return(grpc::Status::OK));
  EXPECT_EQ(status::Reason(rooms_.Submit(Submission("a")).status()), "VALIDATION_INCOMPLETE");
  EXPECT_TRUE(rooms_.Feed().empty());
}

TEST_F(SubmissionBatcherTest, ARepeatNeedsNoValidation) {
  const auto first = rooms_.Submit(Submission("a"));
  ON_CALL(rooms_.validation, ValidateResponses)
      .WillByDefault(::testing::Return(status::ToGrpc(status::Error(absl::StatusCode::kUnavailable, "GONE", "gone"))));
  const auto repeat = rooms_.Submit(Submission("a"));
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_EQ(repeat->DebugString(), first->DebugString());
}

TEST_F(SubmissionBatcherTest, WhoHasNoTimeLeftIsNotTakenIn) {
  const auto status = rooms_.Submit(Submission("a"), std::chrono::seconds(-1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(rooms_.Feed().empty());
}

// Runs `count` submissions at the same time.
template <typename MakeRequest>
std::vector<absl::StatusOr<v1::SubmitResponseResponse>> SubmitAll(Rooms& rooms, int count, const MakeRequest& make) {
  std::vector<absl::StatusOr<v1::SubmitResponseResponse>> answers(count);
  std::vector<std::thread> threads;
  std::latch start(count);
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      answers[i] = rooms.Submit(make(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

TEST_F(SubmissionBatcherTest, EqualRequestsAtOnceGetTheSameAnswer) {
  const auto answers = SubmitAll(rooms_, 32, [](int i) { return Submission("id" + std::to_string(i % 4)); });
  std::map<int, std::set<std::string>> by_id;
  for (int i = 0; i < 32; ++i) {
    ASSERT_TRUE(answers[i].ok()) << answers[i].status();
    by_id[i % 4].insert(answers[i]->DebugString());
  }
  for (const auto& [id, different] : by_id) EXPECT_EQ(different.size(), 1u);
  EXPECT_EQ(rooms_.Feed().size(), 4u);
}

TEST_F(SubmissionBatcherTest, ManyAtOnceAreGroupedAndNumberedWithoutGaps) {
  ASSERT_TRUE(rooms_.Submit(Submission("first")).ok());
  // The first groups are held until the others wait.
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> judged = 0;
  ON_CALL(rooms_.validation, ValidateResponses)
      .WillByDefault([&](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                         validation::v1::ValidateResponsesResponse* response) {
        gone.wait();
        ++judged;
        for (int i = 0; i < request.responses_size(); ++i) response->add_results();
        return grpc::Status::OK;
      });
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    go.set_value();
  });
  const auto answers = SubmitAll(rooms_, 60, [](int i) { return Submission("id" + std::to_string(i), "Gemeente " + std::to_string(i)); });
  later.join();
  std::set<uint64_t> sequences;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(answers[i].ok()) << answers[i].status();
    sequences.insert(answers[i]->position().submissions());
    EXPECT_EQ(answers[i]->response().answers().answers(0).text(), "Gemeente " + std::to_string(i)) << "everybody gets his own answer";
  }
  EXPECT_EQ(sequences.size(), 60u);
  EXPECT_EQ(*sequences.rbegin(), 61u);
  EXPECT_LE(judged, 6) << "60 submissions share few calls";
}

TEST_F(SubmissionBatcherTest, OneBadResponseDoesNotSpoilItsGroup) {
  const auto answers = SubmitAll(rooms_, 20, [](int i) { return Submission("id" + std::to_string(i), i % 2 == 0 ? "FOUT" : "Ede"); });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answers[i].ok(), i % 2 == 1) << answers[i].status();
  EXPECT_EQ(rooms_.Feed().size(), 10u);
}

TEST(SubmissionBatcherBoundsTest, OneTooManyIsRefused) {
  auto store = MemoryStore();
  Rooms rooms(*store, {.max_waiting = 2, .workers = 1});
  rooms.Apply();
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  ON_CALL(rooms.validation, ValidateResponses)
      .WillByDefault([gone](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                            validation::v1::ValidateResponsesResponse* response) {
        gone.wait();
        for (int i = 0; i < request.responses_size(); ++i) response->add_results();
        return grpc::Status::OK;
      });
  std::atomic<int> refused = 0, taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto status = rooms.Submit(Submission("id" + std::to_string(i))).status();
      if (status.ok()) ++taken;
      if (status::Reason(status) == "TOO_MANY_SUBMISSIONS" && status.code() == absl::StatusCode::kResourceExhausted) ++refused;
    });
  }
  // At most a group of two under way and the two that wait are taken.
  while (refused < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  go.set_value();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused + taken, 8);
  EXPECT_GE(taken, 2);
}

TEST(SubmissionBatcherTimesTest, IsHeldAgainstTheTimeItCameAt) {
  auto store = MemoryStore();
  std::atomic<int> seconds = -1;
  const absl::Time closes = calendar::ParseLocalMinute("2026-04-24 17:00").value();
  Rooms rooms(*store, {.max_groups = 1, .workers = 1}, [&] { return closes + absl::Seconds(seconds.load()); });
  rooms.Apply({kSurveyYaml, Replaced(kWaveYaml, "opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00")});
  std::promise<void> held, go;
  ON_CALL(rooms.validation, ValidateResponses)
      .WillByDefault([&, first = true](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                                       validation::v1::ValidateResponsesResponse* response) mutable {
        if (std::exchange(first, false)) {
          held.set_value();
          go.get_future().wait();
        }
        for (int i = 0; i < request.responses_size(); ++i) response->add_results();
        return grpc::Status::OK;
      });
  auto first = std::async(std::launch::async, [&] { return rooms.Submit(Submission("first")); });
  held.get_future().wait();
  const v1::SubmitResponseRequest request = Submission("in time");
  v1::SubmitResponseResponse answer;
  std::promise<absl::Status> done;
  rooms.batcher.Submit(request, std::chrono::system_clock::time_point::max(), &answer,
                       [&](const absl::Status& status) { done.set_value(status); });
  seconds = 1;
  go.set_value();
  EXPECT_TRUE(first.get().ok());
  const absl::Status waited = done.get_future().get();
  ASSERT_TRUE(waited.ok()) << waited;
  EXPECT_EQ(calendar::FromProto(answer.response().submitted_at()), closes - absl::Seconds(1));
  EXPECT_EQ(status::Reason(rooms.Submit(Submission("late")).status()), "WAVE_CLOSED");
}

TEST(SubmissionBatcherBoundsTest, GroupsKeepToTheirBytes) {
  auto store = MemoryStore();
  Rooms rooms(*store, {.max_group_bytes = 100, .workers = 1});
  rooms.Apply();
  const auto answers = SubmitAll(rooms, 10, [](int i) { return Submission("id" + std::to_string(i), std::string(80, 'x')); });
  for (const auto& answer : answers) EXPECT_TRUE(answer.ok()) << answer.status();
  for (const int size : rooms.validation.calls()) EXPECT_EQ(size, 1);
}

TEST(SubmissionBatcherBoundsTest, APartitionThatIsHeldHoldsNoOther) {
  auto store = MemoryStore();
  Rooms rooms(*store, {.max_groups = 1, .workers = 4});
  rooms.Apply({kSurveyYaml, Replaced(kWaveYaml, "language: nl", "language: nl\npartitions: 2")});
  // Ids by the partition they belong to; from the first response on the batcher knows how many there are.
  std::vector<std::string> ids[2];
  for (int i = 0; i < 100; ++i) ids[names::PartitionOf(std::to_string(i), 2)].push_back(std::to_string(i));
  ASSERT_TRUE(rooms.Submit(Submission(ids[0].back())).ok());

  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> held = 0;
  ON_CALL(rooms.validation, ValidateResponses)
      .WillByDefault([&](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                         validation::v1::ValidateResponsesResponse* response) {
        if (request.responses(0).answers().answers(1).text() == "held") {
          ++held;
          gone.wait();
        }
        for (int i = 0; i < request.responses_size(); ++i) response->add_results();
        return grpc::Status::OK;
      });
  std::vector<std::future<absl::Status>> answers;
  const auto submit = [&](const std::string& id) {
    answers.push_back(std::async(std::launch::async, [&rooms, id] { return rooms.Submit(Submission(id, "held")).status(); }));
  };
  submit(ids[0][0]);
  while (held == 0) std::this_thread::yield();
  for (int i = 1; i < 6; ++i) submit(ids[0][i]);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(rooms.Submit(Submission(ids[1][i])).ok());
  EXPECT_EQ(held, 1) << "one group to a partition";
  go.set_value();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(rooms.Feed(0).size(), 7u);
  EXPECT_EQ(rooms.Feed(1).size(), 5u);
}

TEST(SubmissionBatcherLifeTest, StoppingRefusesTheRestAndFinishesWhatWaits) {
  auto store = MemoryStore();
  Rooms rooms(*store);
  rooms.Apply();
  ASSERT_TRUE(rooms.Submit(Submission("a")).ok());
  rooms.batcher.Stop();
  EXPECT_EQ(status::Reason(rooms.Submit(Submission("b")).status()), "SHUTTING_DOWN");
}

TEST(SubmissionBatcherLifeTest, ReceiptsAndFeedsOutliveTheProcess) {
  char pattern[] = "/tmp/intake-test-XXXXXX";
  const std::string directory = ::mkdtemp(pattern);
  const std::string address = "sqlite:" + directory + "/intake.db";
  std::string first;
  {
    auto store = storage::OpenStore(address, "test");
    ASSERT_TRUE(store.ok()) << store.status();
    Rooms rooms(**store);
    rooms.Apply();
    const auto answer = rooms.Submit(Submission("a"));
    ASSERT_TRUE(answer.ok());
    first = answer->DebugString();
  }
  {
    auto store = storage::OpenStore(address, "test");
    ASSERT_TRUE(store.ok()) << store.status();
    Rooms rooms(**store);
    EXPECT_EQ(rooms.Submit(Submission("a"))->DebugString(), first);
    EXPECT_EQ(rooms.Submit(Submission("b"))->position().submissions(), 2u);
    EXPECT_EQ(rooms.Feed().size(), 2u);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace peiling::intake
