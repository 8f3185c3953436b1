// Several replicas of intake on one store, and waves of several partitions.
#include <atomic>
#include <latch>
#include <map>
#include <set>
#include <thread>

#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/contract/redis_servers.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::IsEmpty;

std::string WaveOf(int partitions) { return Replaced(kWaveYaml, "language: nl", absl::StrCat("language: nl\npartitions: ", partitions)); }

// Runs `threads` of them at the same time.
void AtOnce(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> running;
  running.reserve(threads);
  std::latch start(threads);
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

std::vector<v1::Response> ListAll(Rooms& rooms, int partitions, int page_size) {
  v1::ListResponsesRequest request;
  request.set_parent(kWaveName);
  request.set_page_size(page_size);
  std::vector<v1::Response> responses;
  do {
    status::BadRequest bad;
    const auto page = Must(rooms.responses.List(request, partitions, paging::ReadPage(request, bad)));
    EXPECT_TRUE(bad.empty());
    responses.insert(responses.end(), page.responses().begin(), page.responses().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return responses;
}

// What two replicas keep their data in.
class Ground {
 public:
  virtual ~Ground() = default;
  virtual storage::Store& store(int replica) = 0;
};

// One store, as two processes cannot have it.
class SharedGround final : public Ground {
 public:
  storage::Store& store(int) override { return *store_; }

 private:
  std::unique_ptr<storage::Store> store_ = MemoryStore();
};

// Each has opened the same Redis.
template <typename Servers>
class RedisGround final : public Ground {
 public:
  storage::Store& store(int replica) override { return *stores_[replica]; }

 private:
  std::unique_ptr<storage::Store> Open() { return Must(storage::OpenStore(servers_.address(), "intake")); }

  Servers servers_;
  std::unique_ptr<storage::Store> stores_[2] = {Open(), Open()};
};

template <typename T>
std::unique_ptr<Ground> Make() {
  return std::make_unique<T>();
}

struct Setting {
  const char* name;
  std::unique_ptr<Ground> (*make)();
  int partitions;
};

class ReplicasTest : public ::testing::TestWithParam<Setting> {
 protected:
  void SetUp() override { one_.Apply({kSurveyYaml, WaveOf(partitions_)}); }

  // The responses by name, of which every one lies in the partition its id says, with its last event.
  std::map<std::string, v1::Response> CheckedResponses() {
    std::map<std::string, v1::Response> responses;
    for (int partition = 0; partition < partitions_; ++partition) {
      std::map<std::string, uint64_t> last;
      uint64_t sequence = 0;
      for (const auto& stored : Must(store_->ReadFeed(names::PartitionName(kWaveName, partition), 0, 100'000))) {
        EXPECT_EQ(stored.sequence, ++sequence);
        v1::SubmissionEvent event;
        EXPECT_TRUE(event.ParseFromString(stored.value));
        last[event.response().name()] = stored.sequence;
      }
      for (const auto& [name, event] : last) {
        EXPECT_EQ(names::PartitionOf(names::LastId(name), partitions_), partition) << name;
        v1::Response& response = responses[name];
        response = Must(two_.responses.Get(name, partitions_)).response;
        EXPECT_EQ(response.sequence(), event) << name;
      }
      EXPECT_EQ(Must(store_->Count(names::PartitionName(kWaveName, partition), "response/")), last.size());
    }
    v1::Wave wave = Must(two_.responses.WithTally(Must(two_.catalog.GetWave(kWaveName))));
    EXPECT_EQ(wave.response_count(), static_cast<int64_t>(responses.size()));
    return responses;
  }

  const int partitions_ = GetParam().partitions;
  const std::unique_ptr<Ground> ground_ = GetParam().make();
  storage::Store* const store_ = &ground_->store(1);
  Rooms one_{ground_->store(0)};
  Rooms two_{ground_->store(1)};
};

INSTANTIATE_TEST_SUITE_P(Stores, ReplicasTest,
                         ::testing::Values(Setting{"Sqlite1", Make<SharedGround>, 1}, Setting{"Sqlite8", Make<SharedGround>, 8},
                                           Setting{"Sqlite64", Make<SharedGround>, 64},
                                           Setting{"Redis1", Make<RedisGround<storage::PlainRedis>>, 1},
                                           Setting{"Redis8", Make<RedisGround<storage::PlainRedis>>, 8},
                                           Setting{"Sentinel3", Make<RedisGround<storage::SentinelRedis>>, 3},
                                           Setting{"Cluster8", Make<RedisGround<storage::ClusterRedis>>, 8}),
                         [](const auto& setting) { return setting.param.name; });

TEST_P(ReplicasTest, EqualRequestsAtBothMakeOneResponse) {
  constexpr int kRequests = 20, kThreads = 16;
  std::mutex mutex;
  std::map<std::string, std::set<std::string>> answers;
  AtOnce(kThreads, [&](int thread) {
    for (int i = 0; i < kRequests; ++i) {
      // Everybody in another order.
      const std::string id = "request-" + std::to_string((i * 7 + thread) % kRequests);
      const auto answer = (thread % 2 == 0 ? one_ : two_).Submit(Submission(id, "Gemeente " + id));
      ASSERT_TRUE(answer.ok()) << answer.status();
      const int partition = names::PartitionOf(id, partitions_);
      EXPECT_EQ(names::PartitionOf(names::LastId(answer->response().name()), partitions_), partition);
      EXPECT_EQ(feed::Submissions(answer->position(), partition), answer->response().sequence());
      const std::lock_guard lock(mutex);
      answers[id].insert(answer->DebugString());
    }
  });
  EXPECT_EQ(answers.size(), static_cast<size_t>(kRequests));
  for (const auto& [id, different] : answers) EXPECT_EQ(different.size(), 1u) << id;
  EXPECT_EQ(CheckedResponses().size(), static_cast<size_t>(kRequests));
}

TEST_P(ReplicasTest, WithdrawalsAtBothHappenOnce) {
  std::vector<std::string> names;
  names.reserve(6);
  for (int i = 0; i < 6; ++i) names.push_back(Must(one_.Submit(Submission("s" + std::to_string(i)))).response().name());
  std::atomic<int> withdrawn = 0, too_late = 0;
  AtOnce(8, [&](int thread) {
    for (const std::string& name : names) {
      v1::WithdrawResponseRequest request;
      request.set_name(name);
      // Four ask under one id, each of the others under one of his own.
      request.set_request_id(names::LastId(name) + (thread < 4 ? "" : std::to_string(thread)));
      const auto answer = (thread % 2 == 0 ? one_ : two_).responses.Withdraw(request, partitions_);
      if (answer.ok()) {
        EXPECT_EQ(answer->response().state(), v1::RESPONSE_STATE_WITHDRAWN);
        ++withdrawn;
      } else {
        EXPECT_EQ(status::Reason(answer.status()), "ALREADY_WITHDRAWN") << answer.status();
        ++too_late;
      }
    }
  });
  EXPECT_EQ(withdrawn + too_late, 48);
  for (const auto& [name, response] : CheckedResponses()) EXPECT_EQ(response.state(), v1::RESPONSE_STATE_WITHDRAWN);
  v1::Wave wave = Must(one_.responses.WithTally(Must(one_.catalog.GetWave(kWaveName))));
  EXPECT_EQ(wave.last_sequence(), 12u) << "each was submitted and withdrawn once";
}

TEST_P(ReplicasTest, ImportsOfOneFileAtBothLoseAndDoubleNothing) {
  ImportOutcome outcomes[2];
  AtOnce(2, [&](int i) { outcomes[i] = RunImport(i == 0 ? one_ : two_, ExportOf(700), {}, 3000 + 2000 * i); });
  for (const ImportOutcome& outcome : outcomes) ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcomes[0].summary.added() + outcomes[1].summary.added(), 700);
  EXPECT_EQ(outcomes[0].summary.unchanged() + outcomes[1].summary.unchanged(), 700);
  EXPECT_EQ(CheckedResponses().size(), 700u);

  const ImportOutcome again = RunImport(two_, ExportOf(700));
  EXPECT_EQ(again.summary.unchanged(), 700);
  uint64_t events = 0;
  for (int partition = 0; partition < partitions_; ++partition) events += feed::Submissions(again.summary.position(), partition);
  EXPECT_EQ(events, 700u) << "the position covers all partitions";
  for (size_t i = 0; i < again.rows.size(); ++i) ASSERT_EQ(again.rows[i].line(), static_cast<int64_t>(i) + 2) << "in the order of the file";
}

TEST_P(ReplicasTest, ListsAreTheSameWhateverTheNumberOfPartitions) {
  const auto single_store = MemoryStore();
  Rooms single(*single_store);
  single.Apply();
  for (Rooms* rooms : {&one_, &single}) ASSERT_TRUE(RunImport(*rooms, ExportOf(300)).status.ok());
  const auto comparable = [](std::vector<v1::Response> responses) {
    std::vector<std::string> texts;
    for (v1::Response& response : responses) {
      response.clear_sequence();
      // Made with a secret.
      response.clear_respondent_key();
      texts.push_back(response.DebugString());
    }
    return texts;
  };
  const std::vector<std::string> expected = comparable(ListAll(single, 1, 1000));
  ASSERT_EQ(expected.size(), 300u);
  for (const int page_size : {1, 7, 100, 300, 1000}) {
    EXPECT_EQ(comparable(ListAll(two_, partitions_, page_size)), expected) << page_size;
  }
}

TEST_P(ReplicasTest, BothMakeTheSameRespondentKeys) {
  std::set<std::string> keys;
  std::mutex mutex;
  AtOnce(8, [&](int i) {
    const auto answer = (i % 2 == 0 ? one_ : two_).Submit(Submission("s" + std::to_string(i)));
    const std::lock_guard lock(mutex);
    keys.insert(Must(answer).response().respondent_key());
  });
  EXPECT_EQ(keys.size(), 1u);
}

// A store that has lost its replicas: what it shows may be lost, and nothing can be written.
class UnsafeStore final : public storage::ForwardingStore {
 public:
  using storage::ForwardingStore::ForwardingStore;
  absl::Status Confirm(const std::string& partition) override {
    if (!unsafe) return ForwardingStore::Confirm(partition);
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "no replica has it");
  }
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (unsafe) {
      if (batch.writes.empty()) ADD_FAILURE() << "a commit of nothing";
      // As if it were there already, by another replica.
      return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", "changed");
    }
    return ForwardingStore::Commit(std::move(batch));
  }
  std::atomic<bool> unsafe = false;
};

// One has written; what the other answers on the strength of what it read of that must be safe.
class ConfirmTest : public ::testing::Test {
 protected:
  void SetUp() override { writer_.Apply(); }

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  UnsafeStore unsafe_{*store_};
  Rooms writer_{*store_};
  Rooms reader_{unsafe_};
};

TEST_F(ConfirmTest, NoRowIsUnchangedThatMayBeLost) {
  ASSERT_TRUE(RunImport(writer_, ExportOf(10)).status.ok());
  // It knows the secret already.
  ASSERT_TRUE(reader_.responses.Secret(kWaveName, /*create=*/true).ok());
  unsafe_.unsafe = true;
  const ImportOutcome outcome = RunImport(reader_, ExportOf(10));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable) << outcome.status;
  EXPECT_THAT(outcome.rows, IsEmpty());
  unsafe_.unsafe = false;
  EXPECT_EQ(RunImport(reader_, ExportOf(10)).summary.unchanged(), 10);
}

TEST_F(ConfirmTest, NoRepeatIsAnsweredWithWhatMayBeLost) {
  const auto first = Must(writer_.Submit(Submission("a")));
  ASSERT_TRUE(reader_.Submit(Submission("b")).ok());
  unsafe_.unsafe = true;
  EXPECT_EQ(reader_.Submit(Submission("a")).status().code(), absl::StatusCode::kUnavailable);
  unsafe_.unsafe = false;
  EXPECT_EQ(Must(reader_.Submit(Submission("a"))).DebugString(), first.DebugString());
}

TEST_F(ConfirmTest, NoSecretIsUsedThatMayBeLost) {
  ASSERT_TRUE(writer_.responses.Secret(kWaveName, /*create=*/true).ok());
  unsafe_.unsafe = true;
  for (const bool create : {false, true}) {
    EXPECT_EQ(reader_.responses.Secret(kWaveName, create).status().code(), absl::StatusCode::kUnavailable);
  }
  unsafe_.unsafe = false;
  EXPECT_EQ(*reader_.responses.Secret(kWaveName, true), *writer_.responses.Secret(kWaveName, true));
}

TEST_F(ConfirmTest, NoDocumentIsUnchangedThatMayBeLost) {
  unsafe_.unsafe = true;
  EXPECT_EQ(reader_.catalog.Apply(Documents({kSurveyYaml, kWaveYaml})).status().code(), absl::StatusCode::kUnavailable);
  unsafe_.unsafe = false;
  EXPECT_TRUE(reader_.catalog.Apply(Documents({kSurveyYaml, kWaveYaml})).ok());
}

TEST_F(ConfirmTest, NoResponseIsWithdrawnAlreadyThatMayBeBack) {
  v1::WithdrawResponseRequest request;
  request.set_name(Must(writer_.Submit(Submission("a"))).response().name());
  request.set_request_id("w1");
  ASSERT_TRUE(writer_.responses.Withdraw(request, 1).ok());
  request.set_request_id("w2");
  unsafe_.unsafe = true;
  EXPECT_EQ(reader_.responses.Withdraw(request, 1).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConfirmTest, NobodyIsRefusedForWhatMayBeLost) {
  ASSERT_TRUE(writer_.Submit(Submission("a")).ok());
  auto closing = [](const char* id) {
    v1::CloseWaveRequest request;
    request.set_name(kWaveName);
    request.set_request_id(id);
    return request;
  };
  const struct {
    const char* reason;
    std::function<absl::Status()> refused;
  } cases[] = {
      {"REQUEST_ID_REUSED", [&] { return reader_.Submit(Submission("a", "Edam")).status(); }},
      {"QUESTIONNAIRE_IN_USE",
       [&] { return reader_.catalog.Apply(Documents({Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel")})).status(); }},
      {"WAVE_UNSCHEDULED", [&] { return reader_.catalog.Close(closing("c"), "").status(); }},
      {"WAVE_CLOSED",
       [&] {
         if (!unsafe_.unsafe) return reader_.Submit(Submission("b")).status();
         writer_.Apply(
             {Replaced(kWaveYaml, "opened: 2022-09-05", "opens: 2020-03-24 09:00\ncloses: 2020-04-24 17:00\nretention_months: 120")});
         return reader_.Submit(Submission("b")).status();
       }},
  };
  for (const auto& c : cases) {
    unsafe_.unsafe = true;
    EXPECT_EQ(c.refused().code(), absl::StatusCode::kUnavailable) << c.reason;
    unsafe_.unsafe = false;
    EXPECT_EQ(status::Reason(c.refused()), c.reason);
  }
}

// A store that shows documents before their events, as one does whose commits are seen before they are safe.
class EarlyStore final : public storage::ForwardingStore {
 public:
  using storage::ForwardingStore::ForwardingStore;
  absl::StatusOr<std::vector<storage::FeedEvent>> ReadFeed(const std::string& partition, uint64_t after, size_t limit) override {
    auto events = ForwardingStore::ReadFeed(partition, after, limit);
    if (events.ok()) std::erase_if(*events, [this](const storage::FeedEvent& event) { return event.sequence > durable; });
    return events;
  }
  absl::Status Confirm(const std::string&) override {
    ++confirmed;
    if (confirms) durable = 1'000'000;
    return absl::OkStatus();
  }
  std::atomic<uint64_t> durable = 0;
  std::atomic<int> confirmed = 0;
  bool confirms = true;
};

TEST(EarlyStoreTest, WhatIsSeenBeforeItIsSafeIsMadeSafe) {
  auto store = MemoryStore();
  EarlyStore early(*store);
  Rooms writer(*store), reader(early);
  writer.Apply();
  const auto written = Must(writer.Submit(Submission("a"))).response();
  EXPECT_EQ(Must(reader.responses.Get(written.name(), 1)).response.DebugString(), written.DebugString());
  EXPECT_EQ(early.confirmed, 1);
  EXPECT_EQ(ListAll(reader, 1, 10).size(), 1u);
  EXPECT_EQ(early.confirmed, 1) << "what is safe costs nothing more";
}

TEST(EarlyStoreTest, AnEventThatIsGoneIsDamage) {
  auto store = MemoryStore();
  EarlyStore early(*store);
  early.confirms = false;
  Rooms writer(*store), reader(early);
  writer.Apply();
  const auto written = Must(writer.Submit(Submission("a"))).response();
  EXPECT_EQ(reader.responses.Get(written.name(), 1).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace peiling::intake
