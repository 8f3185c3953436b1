// Personal answers are erased for ever, and nothing else.
#include "services/intake/erasure.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/intake/personal_answers.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

absl::Time Local(const std::string& minute) { return calendar::ParseLocalMinute(minute).value(); }

constexpr char kTimes[] = "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\npartitions: 3";

// A store that fails from the n-th commit on, as when the process is killed.
class DyingStore final : public storage::ForwardingStore {
 public:
  DyingStore(storage::Store& store, int commits) : ForwardingStore(store), left_(commits) {}
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (--left_ < 0) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "dead");
    return ForwardingStore::Commit(std::move(batch));
  }

 private:
  int left_;
};

class ErasureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rooms_.Apply({kSurveyYaml, Replaced(kWaveYaml, "opened: 2022-09-05", kTimes)});
    for (int i = 0; i < kResponses; ++i) names_.push_back(Must(rooms_.Submit(Submission(absl::StrCat("r", i)))).response().name());
  }

  v1::ErasePersonalAnswersRequest Request(const std::string& name, const std::string& request_id) {
    v1::ErasePersonalAnswersRequest request;
    request.set_name(name);
    request.set_request_id(request_id);
    request.set_reason("op verzoek");
    return request;
  }
  StoredResponse Get(const std::string& name) { return Must(rooms_.responses.Get(name, 3)); }
  size_t PersonalDocuments() {
    size_t documents = 0;
    for (int i = 0; i < 3; ++i) documents += Must(store_->Count(names::PartitionName(kWaveName, i), kPersonalPrefix));
    return documents;
  }
  // The last event of each response, without what tells of the erasure.
  std::map<std::string, std::string> Responses() {
    std::map<std::string, std::string> responses;
    for (int i = 0; i < 3; ++i) {
      for (const std::string& value : rooms_.Feed(i)) {
        v1::SubmissionEvent event;
        EXPECT_TRUE(event.ParseFromString(value));
        event.mutable_response()->clear_personal_erased_at();
        responses[event.response().name()] = event.response().SerializeAsString();
      }
    }
    return responses;
  }
  std::vector<v1::WaveChangeKind> Changes() {
    std::vector<v1::WaveChangeKind> kinds;
    v1::ListWaveChangesRequest request;
    request.set_parent(kWaveName);
    const v1::ListWaveChangesResponse listed = Must(rooms_.catalog.ListChanges(request, {}));
    for (const v1::WaveChange& change : listed.changes()) kinds.push_back(change.kind());
    return kinds;
  }

  static constexpr int kResponses = 40;
  absl::Time now_ = Local("2026-03-25 12:00");
  std::unique_ptr<storage::Store> store_ = MemoryStore();
  Rooms rooms_{*store_, {}, [this] { return now_; }};
  Erasure erasure_{*store_, rooms_.catalog, rooms_.responses};
  std::vector<std::string> names_;
};

TEST_F(ErasureTest, OfOneResponseOnlyItsPersonalAnswersGo) {
  const StoredResponse before = Get(names_[0]);
  ASSERT_THAT(before.personal.answers(), Not(IsEmpty()));
  now_ += absl::Hours(1);
  const v1::Response erased = Must(erasure_.Erase(Request(names_[0], "e1"), "keys/admin"));
  EXPECT_EQ(calendar::FromProto(erased.personal_erased_at()), now_);
  StoredResponse after = Get(names_[0]);
  EXPECT_THAT(after.personal.answers(), IsEmpty());
  EXPECT_EQ(after.response.respondent_key(), before.response.respondent_key()) << "records stay as they are";
  EXPECT_GT(after.response.sequence(), before.response.sequence()) << "the feed tells of it";
  EXPECT_EQ(after.response.answers().SerializeAsString(), before.response.answers().SerializeAsString());
  EXPECT_THAT(Get(names_[1]).personal.answers(), Not(IsEmpty()));

  // Again changes nothing, with the same request id or another.
  now_ += absl::Hours(1);
  EXPECT_EQ(Must(erasure_.Erase(Request(names_[0], "e1"), "")).SerializeAsString(), erased.SerializeAsString());
  EXPECT_EQ(Must(erasure_.Erase(Request(names_[0], "e2"), "")).etag(), erased.etag());
  EXPECT_EQ(status::Reason(erasure_.Erase(Request(names_[1], "e1"), "").status()), "") << "of another partition";
  EXPECT_EQ(status::Reason(erasure_.Erase(Request(absl::StrCat(kWaveName, "/responses/none"), "e3"), "").status()), "RESPONSE_NOT_FOUND");
  EXPECT_EQ(status::Reason(erasure_.Erase(Request("surveys/poll/waves/none/responses/1", "e3"), "").status()), "WAVE_NOT_FOUND");
}

TEST_F(ErasureTest, AnImportDoesNotBringThemBack) {
  const std::string file = ExportOf(3);
  ASSERT_TRUE(RunImport(rooms_, file).status.ok());
  const std::string name = absl::StrCat(kWaveName, "/responses/2");
  const std::string key = Get(name).response.respondent_key();
  ASSERT_TRUE(erasure_.Erase(Request(name, "e"), "").ok());
  const ImportOutcome again = RunImport(rooms_, file);
  ASSERT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.summary.unchanged(), 3);
  const ImportOutcome other = RunImport(rooms_, ExportOf(3, "Pietersen"));
  EXPECT_EQ(other.summary.updated(), 2);
  EXPECT_EQ(other.summary.unchanged(), 1);
  EXPECT_THAT(Get(name).personal.answers(), IsEmpty());
  EXPECT_EQ(Get(name).response.respondent_key(), key);
}

TEST_F(ErasureTest, OfAWaveTheyGoWhenItsTimeHasCome) {
  const auto before = Responses();
  now_ = Local("2026-07-24 17:00") - absl::Nanoseconds(1);
  ASSERT_TRUE(erasure_.Sweep().ok());
  EXPECT_EQ(PersonalDocuments(), static_cast<size_t>(kResponses));
  EXPECT_THAT(Changes(), SizeIs(1));

  now_ = Local("2026-07-24 17:00");
  ASSERT_TRUE(erasure_.Sweep().ok());
  EXPECT_EQ(PersonalDocuments(), 0u);
  EXPECT_EQ(Responses(), before) << "all else is what it was";
  for (const std::string& name : names_) EXPECT_EQ(calendar::FromProto(Get(name).response.personal_erased_at()), now_);
  EXPECT_THAT(Changes(), ElementsAre(v1::WAVE_CHANGE_KIND_SCHEDULED, v1::WAVE_CHANGE_KIND_ERASED));
  EXPECT_EQ(Must(rooms_.responses.Secret(kWaveName, /*create=*/true)), "") << "nobody can tell who a key stands for";
  EXPECT_FALSE(Must(store_->Get(names::PartitionName(kWaveName, 0), kSecretKey)).has_value());

  ASSERT_TRUE(erasure_.Sweep().ok());
  EXPECT_THAT(Changes(), SizeIs(2)) << "once";
}

TEST_F(ErasureTest, NothingPersonalComesInAfterwards) {
  Rooms other(*store_, {}, [] { return Local("2026-04-01 12:00"); });
  EXPECT_NE(Must(other.responses.Secret(kWaveName, /*create=*/true)), "");
  ASSERT_TRUE(other.Submit(Submission("before")).ok());
  now_ = Local("2026-08-01 12:00");
  ASSERT_TRUE(erasure_.Sweep().ok());
  // A replica whose clock is far behind, and that has the secret in memory.
  EXPECT_EQ(status::Reason(other.Submit(Submission("after")).status()), "PERSONAL_DATA_ERASED");
  EXPECT_EQ(status::Reason(RunImport(other, ExportOf(3)).status), "PERSONAL_DATA_ERASED");
  EXPECT_EQ(status::Reason(RunImport(rooms_, ExportOf(3)).status), "PERSONAL_DATA_ERASED");
  EXPECT_EQ(PersonalDocuments(), 0u);
  // Its times stay.
  v1::ExtendWaveRequest extend;
  extend.set_name(kWaveName);
  extend.set_request_id("x");
  *extend.mutable_closes_at() = calendar::ToProto(Local("2026-09-01 12:00"));
  EXPECT_EQ(status::Reason(other.catalog.Extend(extend, "").status()), "PERSONAL_DATA_ERASED");
  const auto longer = Replaced(kWaveYaml, "opened: 2022-09-05", Replaced(kTimes, "2026-04-24", "2026-09-24"));
  EXPECT_EQ(status::Reason(rooms_.catalog.Apply(Documents({longer})).status()), "DOCUMENT_INVALID");
  EXPECT_TRUE(rooms_.catalog.Apply(Documents({Replaced(kWaveYaml, "opened: 2022-09-05", kTimes)})).ok());
}

TEST_F(ErasureTest, AWaveWithoutTimesKeepsThemUnlessItSaysHowLong) {
  auto old = MemoryStore();
  Rooms rooms(*old, {}, [this] { return now_; });
  rooms.Apply({kSurveyYaml, Replaced(kWaveYaml, "opened: 2022-09-05", "opened: 2022-09-05\nclosed: 2022-12-15")});
  ASSERT_TRUE(RunImport(rooms, ExportOf(3)).status.ok());
  Erasure erasure(*old, rooms.catalog, rooms.responses);
  ASSERT_TRUE(erasure.Sweep().ok());
  EXPECT_EQ(Must(old->Count(kWaveName, kPersonalPrefix)), 3u);
  rooms.Apply({kSurveyYaml, Replaced(kWaveYaml, "opened: 2022-09-05", "opened: 2022-09-05\nclosed: 2022-12-15\nretention_months: 40")});
  ASSERT_TRUE(erasure.Sweep().ok());
  EXPECT_EQ(Must(old->Count(kWaveName, kPersonalPrefix)), 3u);
  now_ = Local("2026-04-16 00:00");
  ASSERT_TRUE(erasure.Sweep().ok());
  EXPECT_EQ(Must(old->Count(kWaveName, kPersonalPrefix)), 0u);
  EXPECT_EQ(status::Reason(rooms.Submit(Submission("late")).status()), "PERSONAL_DATA_ERASED");
}

TEST_F(ErasureTest, AResponseThatCannotBeReadKeepsNoOther) {
  const int partition = names::PartitionOf(names::LastId(names_[7]), 3);
  storage::Batch batch{.partition = names::PartitionName(kWaveName, partition)};
  batch.writes.push_back({.key = absl::StrCat("response/", names::LastId(names_[7])), .value = "\xff"});
  ASSERT_TRUE(store_->Commit(std::move(batch)).ok());
  now_ = Local("2026-08-01 12:00");
  const absl::Status swept = erasure_.Sweep();
  ASSERT_TRUE(swept.ok()) << swept;
  EXPECT_EQ(PersonalDocuments(), 0u) << "its own neither";
  EXPECT_THAT(Changes(), ElementsAre(v1::WAVE_CHANGE_KIND_SCHEDULED, v1::WAVE_CHANGE_KIND_ERASED));
  for (const std::string& name : names_) {
    if (name == names_[7]) continue;
    EXPECT_TRUE(Get(name).response.has_personal_erased_at()) << name;
  }
}

TEST_F(ErasureTest, AWaveThatTookInNothingMayStillGetOtherTimes) {
  auto store = MemoryStore();
  Rooms rooms(*store, {}, [this] { return now_; });
  Erasure erasure(*store, rooms.catalog, rooms.responses);
  const auto times = [](const char* year) {
    return Replaced(kWaveYaml, "opened: 2022-09-05", absl::StrCat("opens: ", year, "-03-24 09:00\ncloses: ", year, "-04-24 17:00"));
  };
  rooms.Apply({kSurveyYaml, times("2025")});
  ASSERT_TRUE(erasure.Sweep().ok());
  rooms.Apply({times("2026")});
  EXPECT_TRUE(rooms.Submit(Submission("r")).ok());
}

TEST_F(ErasureTest, WhatDiesHalfwayIsGoneOnWith) {
  const auto before = Responses();
  now_ = Local("2026-08-01 12:00");
  int tries = 0;
  for (int commits = 0;; ++commits) {
    DyingStore dying(*store_, commits);
    ResponseStore responses(dying, *rooms_.vault);
    Catalog catalog(dying, [this] { return now_; });
    ++tries;
    if (Erasure(dying, catalog, responses).Sweep().ok()) break;
    ASSERT_LT(tries, 50);
  }
  EXPECT_GT(tries, 3);
  EXPECT_EQ(PersonalDocuments(), 0u);
  EXPECT_EQ(Responses(), before);
  EXPECT_THAT(Changes(), SizeIs(2));
}

TEST_F(ErasureTest, ReplicasMayEraseAtTheSameTime) {
  const auto before = Responses();
  now_ = Local("2026-08-01 12:00");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      ResponseStore responses(*store_, *rooms_.vault);
      Catalog catalog(*store_, [this] { return now_; });
      EXPECT_TRUE(Erasure(*store_, catalog, responses).Sweep().ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(PersonalDocuments(), 0u);
  EXPECT_EQ(Responses(), before);
  EXPECT_THAT(Changes(), SizeIs(2));
}

TEST_F(ErasureTest, WorksWithoutTheKeyTheyWereSealedWith) {
  const auto vault = *vault::Vault::Make(vault::Vault::NewKey("other"));
  ResponseStore responses(*store_, *vault);
  Catalog catalog(*store_, [this] { return now_; });
  Erasure erasure(*store_, catalog, responses);
  EXPECT_TRUE(erasure.Erase(Request(names_[0], "e"), "").ok());
  now_ = Local("2026-08-01 12:00");
  EXPECT_TRUE(erasure.Sweep().ok());
  EXPECT_EQ(PersonalDocuments(), 0u);
}

// Everything in the files of a store.
std::string BytesIn(const std::filesystem::path& folder) {
  std::string bytes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(file), {});
  }
  return bytes;
}

TEST(ErasureOnDisk, LeavesNeitherThemNorWhatTheyWereSealedIn) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / absl::StrCat("peiling-erasure-", ::getpid());
  std::filesystem::create_directories(folder);
  absl::Time now = Local("2026-03-25 12:00");
  std::vector<std::string> sealed;
  {
    const auto store = Must(storage::OpenStore("sqlite:" + (folder / "intake.db").string(), "intake"));
    Rooms rooms(*store, {}, [&now] { return now; });
    rooms.Apply({kSurveyYaml, Replaced(kWaveYaml, "opened: 2022-09-05", Replaced(kTimes, "partitions: 3", "partitions: 1"))});
    for (int i = 0; i < 30; ++i) {
      v1::SubmitResponseRequest request = Submission(absl::StrCat("r", i));
      request.mutable_response()->mutable_answers()->mutable_answers(0)->set_text(absl::StrCat("Zonderling van Nergenshuizen ", i));
      ASSERT_TRUE(rooms.Submit(request).ok());
    }
    for (const auto& document : Must(store->List(kWaveName, kPersonalPrefix, "", 100))) sealed.push_back(document.value);
    EXPECT_THAT(sealed, SizeIs(30));
    EXPECT_THAT(BytesIn(folder), Not(HasSubstr("Nergenshuizen"))) << "never in the clear";
    EXPECT_THAT(BytesIn(folder), HasSubstr(sealed[7]));
    now = Local("2026-08-01 12:00");
    ASSERT_TRUE(Erasure(*store, rooms.catalog, rooms.responses).Sweep().ok());
  }
  const std::string left = BytesIn(folder);
  for (const std::string& value : sealed) EXPECT_EQ(left.find(value.substr(value.size() / 2)), std::string::npos);
  EXPECT_THAT(left, Not(HasSubstr("Nergenshuizen")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace peiling::intake
