// Several ledgers of one wave over one store, as several replicas of dedup have them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"
#include "services/dedup/waves.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/contract/redis_server.h"
#include "tests/dedup/ledger_fixture.h"

namespace peiling::dedup {
namespace {

using intake::v1::SubmissionEvent;
using testing::ElementsAre;

// Lets a test do something between what a step has read and its commit, and counts what is read.
class WatchedStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (auto interfere = std::exchange(before_commit, nullptr)) interfere();
    return ForwardingStore::Commit(std::move(batch));
  }
  absl::StatusOr<std::optional<storage::Document>> Get(const std::string& partition, const std::string& key) override {
    ++reads;
    return ForwardingStore::Get(partition, key);
  }
  absl::StatusOr<std::vector<std::optional<storage::Document>>> GetMany(const std::string& partition,
                                                                        const std::vector<std::string>& keys) override {
    ++reads;
    return ForwardingStore::GetMany(partition, keys);
  }
  absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                      size_t limit) override {
    ++reads;
    return ForwardingStore::List(partition, prefix, after, limit);
  }

  absl::Status Confirm(const std::string& partition) override {
    if (!unsafe) return ForwardingStore::Confirm(partition);
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_NOT_REPLICATED", "no replica has it");
  }

  // What is read may be lost yet.
  bool unsafe = false;
  // Called once, before the next commit.
  std::function<void()> before_commit;
  int reads = 0;
};

WaveSource SourceWithPartitions(int partitions) {
  WaveSource source = TestSource();
  source.wave.set_partitions(partitions);
  return source;
}

WaveSource LaterSource(int partitions) {
  WaveSource later = SourceWithPartitions(partitions);
  later.wave.set_frame_date("2023-01-01");
  later.frame.mutable_municipalities()->DeleteSubrange(8, 1);  // GM0009 is gone.
  return later;
}

// As TestResolve; in 2023 "~GM0002" is understood otherwise.
absl::StatusOr<std::vector<registry::v1::Resolution>> ResolveByDate(const std::vector<std::string>& texts, const std::string& as_of) {
  std::vector<registry::v1::Resolution> resolutions;
  resolutions.reserve(texts.size());
  for (const std::string& text : texts) {
    resolutions.push_back(TestResolution(as_of == "2023-01-01" && text == "~GM0002" ? "GM0003" : text));
  }
  return resolutions;
}

SubmissionEvent Event(uint64_t sequence, const Filled& filled) {
  SubmissionEvent event;
  event.set_sequence(sequence);
  *event.mutable_response() = MakeResponse(filled);
  return event;
}

v1::CreateRulingRequest CreateRequest(const v1::Ruling& ruling, int request) {
  v1::CreateRulingRequest create;
  create.set_parent(kWave);
  *create.mutable_ruling() = ruling;
  create.set_request_id(absl::StrCat("request-", request));
  return create;
}

v1::RetractRulingRequest RetractRequest(const std::string& ruling, int request) {
  v1::RetractRulingRequest retract;
  retract.set_name(ruling);
  retract.set_retracted_by("onderzoeker");
  retract.set_reason("toch niet");
  retract.set_request_id(absl::StrCat("request-", request));
  return retract;
}

// `ledger_` and `other_` over one store; the other one sees it through `watched_`.
class ReplicasTest : public WaveLedgerTest {
 protected:
  void SetUp() override {
    WaveLedgerTest::SetUp();
    ASSERT_EQ(ledger_->Prepare(SourceWithPartitions(2), TestResolve), absl::OkStatus());
    watched_ = std::make_unique<WatchedStore>(*store_);
    other_ = std::make_unique<WaveLedger>(*watched_, kWave, StoppedClock);
    ASSERT_TRUE(*other_->Load());
  }

  std::unique_ptr<WatchedStore> watched_;
  std::unique_ptr<WaveLedger> other_;
};

TEST_F(ReplicasTest, PartitionsAddUp) {
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1", .answered = 5}), Event(2, {.id = "2", .municipality = "GM0002"})}, TestResolve),
            absl::OkStatus());
  ASSERT_EQ(other_->Apply(1, {Event(1, {.id = "3", .answered = 6})}, TestResolve), absl::OkStatus());
  EXPECT_EQ(RecordOf("GM0001")->response(), ResponseName("3"));
  EXPECT_EQ(Report().started(), 3);
  EXPECT_EQ(Report().records(), 2);
  EXPECT_EQ(Report().municipalities(), 9);
  EXPECT_EQ(SumOfDispositions(Report()), 3);
  const auto position = WaveView(*store_, kWave).GetCleaningReport()->position();
  EXPECT_EQ(feed::SubmissionsText(position), "2,1");
  EXPECT_EQ(position.records(), 2u);
  ASSERT_EQ(Feed().size(), 2u);
  EXPECT_EQ(Feed()[0].partition(), 0);
  EXPECT_EQ(Feed()[1].partition(), 1);
  EXPECT_EQ(Feed()[1].submission_sequence(), 1u);
  // A withdrawal in one partition brings back a response of another: each share by itself no longer adds up.
  ASSERT_EQ(other_->Apply(1, {Event(2, {.id = "3", .answered = 6, .withdrawn = true})}, TestResolve), absl::OkStatus());
  EXPECT_EQ(Report().kept(), 2);
  EXPECT_EQ(Report().withdrawn(), 1);
}

TEST_F(ReplicasTest, RulingTakesNothingIn) {
  ASSERT_EQ(other_->Apply(1, {Event(1, {.id = "3"})}, TestResolve), absl::OkStatus());
  ASSERT_TRUE(ledger_->CreateRuling(CreateRequest(Exclude("3"), 1)).ok());
  EXPECT_EQ(Feed().back().submission_sequence(), 0u);
  EXPECT_EQ(Feed().back().partition(), 0);
  EXPECT_EQ(WaveView(*store_, kWave).GetCleaningReport()->position().records(), 2u);
}

TEST_F(ReplicasTest, RulingOfAnotherReplicaIsNoticed) {
  ASSERT_EQ(other_->Apply(0, {Event(1, {.id = "1"})}, TestResolve), absl::OkStatus());
  ASSERT_TRUE(ledger_->CreateRuling(CreateRequest(Exclude("1"), 1)).ok());
  ASSERT_EQ(other_->Apply(0, {Event(2, {.id = "1", .answered = 11})}, TestResolve), absl::OkStatus());
  EXPECT_EQ(DecisionOn("1").disposition(), v1::DISPOSITION_EXCLUDED);
  ASSERT_TRUE(ledger_->RetractRuling(RetractRequest(absl::StrCat(kWave, "/rulings/1"), 2)).ok());
  ASSERT_EQ(other_->Apply(0, {Event(3, {.id = "1", .answered = 12})}, TestResolve), absl::OkStatus());
  EXPECT_EQ(DecisionOn("1").disposition(), v1::DISPOSITION_KEPT);
}

TEST_F(ReplicasTest, WhatChangesBetweenReadingAndCommittingIsReadAgain) {
  struct Case {
    const char* what;
    std::function<void()> meanwhile;
    // Who is the record of GM0001 then.
    std::string record;
  };
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1", .answered = 10}), Event(2, {.id = "0", .answered = 1})}, TestResolve),
            absl::OkStatus());
  const auto apply = [&](uint64_t sequence, const Filled& filled) {
    ASSERT_EQ(ledger_->Apply(0, {Event(sequence, filled)}, TestResolve), absl::OkStatus());
  };
  // The other one takes in response 2, with 6 answers, each time.
  const std::vector<Case> cases = {
      {"a correction of what it only looked at", [&] { apply(3, {.id = "1", .answered = 5}); }, "2"},
      {"a correction of what it changes", [&] { apply(4, {.id = "1", .answered = 7}); }, "1"},
      {"a ruling", [&] { ASSERT_TRUE(ledger_->CreateRuling(CreateRequest(Exclude("1"), 1)).ok()); }, "2"},
      {"a ruling taken back", [&] { ASSERT_TRUE(ledger_->RetractRuling(RetractRequest(absl::StrCat(kWave, "/rulings/1"), 2)).ok()); }, "1"},
      {"another response of the case", [&] { apply(5, {.id = "3", .answered = 40}); }, "3"},
      {"a joint response that ties other cases to it", [&] { apply(6, {.id = "4", .municipality = "GM0001+GM0002", .answered = 50}); },
       "4"},
  };
  uint64_t sequence = 0;
  for (const Case& a_case : cases) {
    watched_->before_commit = a_case.meanwhile;
    ASSERT_EQ(other_->Apply(1, {Event(++sequence, {.id = "2", .answered = 6})}, TestResolve), absl::OkStatus()) << a_case.what;
    EXPECT_EQ(RecordOf("GM0001")->response(), ResponseName(a_case.record)) << a_case.what;
    EXPECT_EQ(Report().SerializeAsString(), Recount().SerializeAsString()) << a_case.what;
    EXPECT_EQ(Followed(), Stored()) << a_case.what;
  }
}

TEST_F(ReplicasTest, OldSetupIsRefused) {
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1", .municipality = "~GM0002"})}, ResolveByDate), absl::OkStatus());
  watched_->before_commit = [&] { ASSERT_EQ(ledger_->Prepare(LaterSource(2), ResolveByDate), absl::OkStatus()); };
  const std::vector<SubmissionEvent> events = {Event(1, {.id = "3", .municipality = "GM0009"}),
                                               Event(2, {.id = "2", .municipality = "~GM0002"})};
  // It has nothing in common with what is decided again.
  EXPECT_EQ(status::Reason(other_->Apply(1, absl::MakeConstSpan(events).first(1), ResolveByDate)), "SET_UP_ANEW");
  EXPECT_EQ(*other_->SubmissionSequence(1), 0u);
  ASSERT_EQ(other_->Apply(1, events, ResolveByDate), absl::OkStatus()) << "it knows the new one now";
  EXPECT_EQ(DecisionOn("3").disposition(), v1::DISPOSITION_OUT_OF_FRAME);
  EXPECT_THAT(DecisionOn("1").municipality_codes(), ElementsAre("GM0003"));
  EXPECT_THAT(DecisionOn("2").municipality_codes(), ElementsAre("GM0003"));
  // A ruling goes on with the new one by itself.
  ASSERT_EQ(ledger_->Prepare(SourceWithPartitions(2), ResolveByDate), absl::OkStatus());
  EXPECT_TRUE(other_->CreateRuling(CreateRequest(Assign("3", "GM0009"), 1)).ok()) << "it is in the frame again";
}

TEST_F(ReplicasTest, NoSetupIsKeptThatMayBeLost) {
  WaveLedger third(*watched_, kWave, StoppedClock);
  watched_->unsafe = true;
  EXPECT_EQ(status::Reason(third.Load().status()), "STORAGE_NOT_REPLICATED");
  // One that is known is safe.
  EXPECT_TRUE(other_->Load().ok());
  watched_->unsafe = false;
  EXPECT_TRUE(*third.Load());
}

TEST_F(ReplicasTest, NoRulingIsTakenBackAlreadyThatMayStandAgain) {
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1"})}, TestResolve), absl::OkStatus());
  ASSERT_TRUE(ledger_->CreateRuling(CreateRequest(Exclude("1"), 1)).ok());
  const std::string ruling = absl::StrCat(kWave, "/rulings/1");
  ASSERT_TRUE(ledger_->RetractRuling(RetractRequest(ruling, 2)).ok());
  watched_->unsafe = true;
  EXPECT_EQ(status::Reason(other_->RetractRuling(RetractRequest(ruling, 3)).status()), "STORAGE_NOT_REPLICATED");
  watched_->unsafe = false;
  EXPECT_EQ(status::Reason(other_->RetractRuling(RetractRequest(ruling, 3)).status()), "ALREADY_RETRACTED");
}

TEST_F(ReplicasTest, ResponseThatChangesWhileAllIsDecidedAgainStaysAsItIs) {
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1", .municipality = "GM0001"})}, TestResolve), absl::OkStatus());
  const Resolve meanwhile = [&](const auto& texts, const auto& as_of) {
    EXPECT_TRUE(*other_->Load());
    EXPECT_EQ(other_->Apply(0, {Event(2, {.id = "1", .municipality = "GM0002"})}, TestResolve), absl::OkStatus());
    return TestResolve(texts, as_of);
  };
  ASSERT_EQ(ledger_->Prepare(LaterSource(2), meanwhile), absl::OkStatus());
  EXPECT_THAT(DecisionOn("1").municipality_codes(), ElementsAre("GM0002"));
  EXPECT_FALSE(RecordOf("GM0001").has_value());
}

TEST_F(ReplicasTest, NewerPolicyIsNotUndone) {
  const auto policy = store_->Get(kWave, documents::kPolicy);
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = documents::kPolicy, .value = "1000"}}}).ok());
  EXPECT_EQ(status::Reason(ledger_->Prepare(SourceWithPartitions(2), TestResolve)), "OTHER_POLICY");
  EXPECT_EQ(status::Reason(other_->Apply(0, {Event(1, {.id = "1"})}, TestResolve)), "OTHER_POLICY");
  EXPECT_TRUE(Feed().empty());
}

TEST_F(ReplicasTest, StepReadsInFewRoundTrips) {
  ASSERT_EQ(other_->Apply(1, {Event(1, {.id = "1", .answered = 5})}, TestResolve), absl::OkStatus());
  watched_->reads = 0;
  std::vector<SubmissionEvent> events;
  for (int i = 2; i < 50; ++i) events.push_back(Event(i, {.id = std::to_string(i), .municipality = absl::StrCat("GM000", i % 9 + 1)}));
  ASSERT_EQ(other_->Apply(1, events, TestResolve), absl::OkStatus());
  EXPECT_LE(watched_->reads, 3) << "what comes, its cases, what else is in these";
}

TEST_F(ReplicasTest, WaveThatAnotherReplicaSetUpIsFound) {
  Waves waves(*store_, StoppedClock);
  ASSERT_EQ(ledger_->Apply(0, {Event(1, {.id = "1"})}, TestResolve), absl::OkStatus());
  const auto found = waves.Find(kWave);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE((*found)->CreateRuling(CreateRequest(Exclude("1"), 1)).ok());
  EXPECT_EQ(status::Reason(waves.Find("surveys/s/waves/none").status()), "WAVE_NOT_FOUND");
}

TEST_F(ReplicasTest, EventSetAsideIsPassedAndTakenInLate) {
  const absl::Status why = absl::InternalError("it makes the registry fall over");
  const SubmissionEvent bad = Event(1, {.id = "1", .answered = 5});
  ASSERT_EQ(ledger_->SetAside(1, bad, why), absl::OkStatus());
  EXPECT_THAT(*other_->ListSetAside(1), ElementsAre(1));
  EXPECT_EQ(*other_->SubmissionSequence(1), 1u);
  EXPECT_EQ(Feed().back().submission_sequence(), 1u) << "who waits for it need not wait for ever";
  EXPECT_EQ(Report().started(), 0);
  ASSERT_EQ(other_->Apply(1, {Event(2, {.id = "2"})}, TestResolve), absl::OkStatus());
  ASSERT_EQ(other_->TakeInLate(1, bad, TestResolve), absl::OkStatus());
  EXPECT_THAT(*ledger_->ListSetAside(1), testing::IsEmpty());
  EXPECT_EQ(Report().started(), 2);
  EXPECT_EQ(*other_->SubmissionSequence(1), 2u);
  ASSERT_EQ(other_->TakeInLate(1, bad, TestResolve), absl::OkStatus()) << "once is enough";
  // When the response has changed since, the late one is history.
  ASSERT_EQ(ledger_->SetAside(1, Event(3, {.id = "2", .withdrawn = true}), why), absl::OkStatus());
  ASSERT_EQ(ledger_->Apply(1, {Event(4, {.id = "2", .answered = 11})}, TestResolve), absl::OkStatus());
  ASSERT_EQ(ledger_->TakeInLate(1, Event(3, {.id = "2", .withdrawn = true}), TestResolve), absl::OkStatus());
  EXPECT_EQ(DecisionOn("2").disposition(), v1::DISPOSITION_KEPT);
  EXPECT_THAT(*ledger_->ListSetAside(1), testing::IsEmpty());
}

TEST_F(ReplicasTest, NotEverythingIsSetAside) {
  const absl::Status why = absl::InternalError("everything makes the registry fall over");
  uint64_t sequence = 0;
  while (sequence < WaveLedger::kMostSetAside) ASSERT_EQ(ledger_->SetAside(0, Event(++sequence, {.id = "1"}), why), absl::OkStatus());
  EXPECT_EQ(status::Reason(ledger_->SetAside(0, Event(sequence + 1, {.id = "1"}), why)), "TOO_MANY_SET_ASIDE");
  EXPECT_EQ(*ledger_->SubmissionSequence(0), sequence);
}

// ---- Properties ----

// What one researcher did: made a ruling, or took back the one of this number.
struct Deed {
  v1::Ruling made;
  int taken_back = 0;
};

// A history of a wave of several partitions: what stands before, and what then comes to every partition.
struct History {
  int partitions;
  std::vector<std::vector<SubmissionEvent>> events;  // By partition; the first before[p] stand before.
  std::vector<size_t> before;
};

History RandomPartitions(std::mt19937_64& random, int partitions) {
  History history{.partitions = partitions, .events = std::vector<std::vector<SubmissionEvent>>(partitions)};
  const auto add = [&](const intake::v1::Response& response) {
    auto& events = history.events[names::PartitionOf(names::LastId(response.name()), partitions)];
    SubmissionEvent& event = events.emplace_back();
    event.set_sequence(events.size());
    *event.mutable_response() = response;
  };
  // What rulings are about is there from the beginning, and two that are kept do not change.
  for (int id = 1; id <= 20; ++id) add(MakeResponse({.id = std::to_string(id), .municipality = absl::StrCat("GM000", id % 5 + 1)}));
  for (const char* id : {"k1", "k2"})
    add(MakeResponse({.id = id, .municipality = id == std::string("k1") ? "GM0001" : "GM0002", .answered = 1}));
  for (const auto& events : history.events) history.before.push_back(events.size());
  for (const auto& response : RandomHistory(random, 80)) add(response);
  return history;
}

v1::Ruling RandomRuling(std::mt19937_64& random) {
  const std::string id = std::to_string(1 + random() % 20);
  switch (random() % 4) {
    case 0:
      return Assign(id, absl::StrCat("GM000", 1 + random() % 7));
    case 1:
      return random() % 2 == 0 ? Keep("k1", "GM0001") : Keep("k2", "GM0002");
    case 2:
      return Exclude(id);
    default:
      return Split(id, {"GM0001", "GM0006"});
  }
}

// With the address of a store that may be opened several times; "": all ledgers share one in memory.
class ManyReplicasTest : public WaveLedgerTest {
 protected:
  void ComeToTheSame(const std::string& address, int rounds);

  // As a follower does: takes events in small groups, after a break from where the ledger stands.
  static void Follow(WaveLedger& ledger, int partition, const std::vector<SubmissionEvent>& events, size_t end,
                     const std::function<WaveSource()>& source, uint64_t seed) {
    std::mt19937_64 random(seed);
    uint64_t at = *ledger.SubmissionSequence(partition);
    while (at < end) {
      const size_t count = std::min<size_t>(1 + random() % 6, end - at);
      if (ledger.Apply(partition, absl::MakeConstSpan(events).subspan(at, count), ResolveByDate).ok()) {
        at += count;
        continue;
      }
      ledger.Prepare(source(), ResolveByDate).IgnoreError();
      at = *ledger.SubmissionSequence(partition);
    }
  }

  // Does what a researcher would; returns what was accepted.
  static std::vector<Deed> Rule(const std::vector<std::unique_ptr<WaveLedger>>& ledgers, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Deed> done;
    int made = 0;
    for (int i = 0; i < 12; ++i) {
      WaveLedger& ledger = *ledgers[random() % ledgers.size()];
      Deed deed;
      if (made > 0 && random() % 3 == 0) {
        deed.taken_back = 1 + static_cast<int>(random() % made);
      } else {
        deed.made = RandomRuling(random);
      }
      if (Do(ledger, deed, i)) {
        made += deed.taken_back == 0;
        done.push_back(deed);
      }
    }
    return done;
  }

  static bool Do(WaveLedger& ledger, const Deed& deed, int request) {
    const auto attempt = [&] {
      return deed.taken_back == 0
                 ? ledger.CreateRuling(CreateRequest(deed.made, request)).status()
                 : ledger.RetractRuling(RetractRequest(absl::StrCat(kWave, "/rulings/", deed.taken_back), request)).status();
    };
    absl::Status status = attempt();
    while (absl::IsAborted(status)) status = attempt();
    return status.ok();
  }
};

void ManyReplicasTest::ComeToTheSame(const std::string& address, int rounds) {
  constexpr int kReplicas = 3;
  std::mt19937_64 random(6);
  for (int round = 0; round < rounds; ++round) {
    const History history = RandomPartitions(random, 2 + static_cast<int>(random() % 3));
    const std::string name = absl::StrCat("round", round);
    Open(address.empty() ? "sqlite::memory:" : address, name);
    ASSERT_EQ(ledger_->Prepare(SourceWithPartitions(history.partitions), ResolveByDate), absl::OkStatus());
    const bool frame_changes = round % 2 == 1;
    std::atomic<bool> later = false;
    const auto source = [&] { return later ? LaterSource(history.partitions) : SourceWithPartitions(history.partitions); };
    for (int p = 0; p < history.partitions; ++p) Follow(*ledger_, p, history.events[p], history.before[p], source, 1);

    // Every partition by two replicas at once, rulings by all, and a new frame by one.
    std::vector<std::unique_ptr<storage::Store>> stores;
    std::vector<std::unique_ptr<WaveLedger>> ledgers;
    for (int i = 0; i < kReplicas; ++i) {
      if (!address.empty()) stores.push_back(*storage::OpenStore(address, name));
      ledgers.push_back(std::make_unique<WaveLedger>(address.empty() ? *store_ : *stores.back(), kWave, StoppedClock));
      ASSERT_TRUE(*ledgers.back()->Load());
    }
    std::vector<std::thread> threads;
    for (int p = 0; p < history.partitions; ++p) {
      for (const int replica : {p % kReplicas, (p + 1) % kReplicas}) {
        threads.emplace_back(Follow, std::ref(*ledgers[replica]), p, std::cref(history.events[p]), history.events[p].size(), source,
                             random());
      }
    }
    std::vector<Deed> done;
    threads.emplace_back([&, seed = random()] { done = Rule(ledgers, seed); });
    if (frame_changes) {
      threads.emplace_back([&] {
        later = true;
        while (!ledgers[0]->Prepare(source(), ResolveByDate).ok()) {
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    // Somebody may have set the wave up as it was before, having asked a moment earlier; followers do this when they begin.
    ASSERT_EQ(ledgers[0]->Prepare(source(), ResolveByDate), absl::OkStatus());

    const auto together = State();
    std::map<std::string, std::string> rulings;
    for (const auto& document : Documents(documents::kRulings)) rulings[document.key] = document.value;
    EXPECT_EQ(Followed(), Stored()) << "who follows the feed knows the same";
    EXPECT_EQ(Report().SerializeAsString(), Recount().SerializeAsString());
    EXPECT_EQ(Report().municipalities(), frame_changes ? 8 : 9);
    const auto position = WaveView(*store_, kWave).GetCleaningReport()->position();
    EXPECT_EQ(position.records(), Feed().size());
    for (int p = 0; p < history.partitions; ++p) EXPECT_EQ(feed::Submissions(position, p), history.events[p].size());

    Open("sqlite::memory:");
    ASSERT_EQ(ledger_->Prepare(source(), ResolveByDate), absl::OkStatus());
    for (int p = history.partitions - 1; p >= 0; --p) ASSERT_EQ(ledger_->Apply(p, history.events[p], ResolveByDate), absl::OkStatus());
    int request = 0;
    for (const Deed& deed : done) ASSERT_TRUE(Do(*ledger_, deed, request++)) << deed.made.ShortDebugString() << deed.taken_back;
    EXPECT_EQ(State(), together);
    for (const auto& document : Documents(documents::kRulings)) EXPECT_EQ(document.value, rulings[document.key]);
    EXPECT_EQ(Documents(documents::kRulings).size(), rulings.size());
  }
}

TEST_F(ManyReplicasTest, ComeToTheSameAsOneLedgerAlone) { ComeToTheSame("", 8); }

TEST_F(ManyReplicasTest, ComeToTheSameOverRedis) {
  const storage::RedisServer redis;
  ComeToTheSame(absl::StrCat("redis://", redis.endpoint()), 4);
}

}  // namespace
}  // namespace peiling::dedup
