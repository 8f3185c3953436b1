// Backups of stores of every kind this library has by itself: what goes out comes back, and what is wrong is noticed.
#include "services/common/storage/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/contract/place.h"

namespace peiling::storage {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kWave[] = "surveys/s/waves/w";

const Progress kQuiet = [](const std::string&, uint64_t, uint64_t) {};

google::protobuf::Timestamp Now() {
  google::protobuf::Timestamp now;
  now.set_seconds(1'650'000'000);
  return now;
}

class BackupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_->Commit({kWave, {{"a", "1", std::nullopt, 0}, {"b", ""}, {"gone", "x"}}, {}, {"first", ""}}).ok());
    ASSERT_TRUE(store_->Commit({kWave, {{"a", "2"}, {"gone", std::nullopt}}}).ok());
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
    ASSERT_TRUE(store_->Commit({bytes, {{bytes, bytes}}, {}, {bytes}}).ok());
    // More than one page, and more than one chunk.
    Batch many{"surveys/s/waves/x"};
    for (int i = 0; i < 1200; ++i) many.writes.push_back({std::to_string(i), std::string(3000, 'x')});
    ASSERT_TRUE(store_->Commit(std::move(many)).ok());
  }

  std::string Backup(Store& store) {
    std::ostringstream out;
    auto exported = Export(store, "test", Now(), out, kQuiet);
    EXPECT_TRUE(exported.ok()) << exported.status();
    return out.str();
  }

  absl::Status ImportInto(Store& store, const std::string& backup, const std::string& owner = "test") {
    std::istringstream in(backup);
    return Import(in, owner, store, kQuiet).status();
  }

  std::string ReasonOfChecking(const std::string& backup) {
    std::istringstream in(backup);
    auto checked = CheckBackup(in, kQuiet);
    return checked.ok() ? "" : status::Reason(checked.status());
  }

  std::unique_ptr<Store> NewStore() { return *OpenStore("sqlite::memory:", "test"); }

  std::unique_ptr<Store> store_ = NewStore();
};

TEST_F(BackupTest, WhatGoesOutComesBackByteForByte) {
  const std::string backup = Backup(*store_);
  const auto other = NewStore();
  ASSERT_TRUE(ImportInto(*other, backup).ok());
  EXPECT_TRUE(Backup(*other) == backup);
  // Versions and sequences go on where they stood.
  EXPECT_EQ(other->Commit({kWave, {{"a", "3", 2}, {"gone", "again", 0}}, {}, {"third"}})->first_sequence, 3u);
  EXPECT_EQ((*other->Get(kWave, "gone"))->version, 2u);
}

TEST_F(BackupTest, AnEmptyStoreHasABackupToo) {
  const std::string backup = Backup(*NewStore());
  EXPECT_EQ(ReasonOfChecking(backup), "");
  const auto other = NewStore();
  ASSERT_TRUE(ImportInto(*other, backup).ok());
  EXPECT_THAT(*other->Partitions(""), IsEmpty());
}

TEST_F(BackupTest, TellsWhatThereIs) {
  std::istringstream in(Backup(*store_));
  const auto checked = CheckBackup(in, kQuiet);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->owner(), "test");
  ASSERT_THAT(checked->partitions(), SizeIs(3));
  const auto& wave = checked->partitions(1);
  EXPECT_EQ(wave.name(), kWave);
  EXPECT_EQ(wave.documents(), 2u);
  EXPECT_EQ(wave.deleted_documents(), 1u);
  EXPECT_EQ(wave.events(), 2u);
  EXPECT_EQ(wave.bytes(), std::string("abgone2first").size());
  EXPECT_THAT(wave.sha256(), SizeIs(64));
  EXPECT_EQ(checked->partitions(2).documents(), 1200u);
  const auto read = Summarize(*store_, "test", kQuiet);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), checked->SerializeAsString());
}

TEST_F(BackupTest, TheChecksumOfAPartitionIsThatOfItsRecordsInTheFile) {
  const auto store = NewStore();
  ASSERT_TRUE(store->Commit({"p", {}, {}, {"event"}}).ok());
  // Length 11, field 3 of length 9: sequence 1, value "event".
  Sha256 digest;
  digest.Add(
      std::string_view("\x0b\x1a\x09\x08\x01\x12\x05"
                       "event",
                       12));
  EXPECT_EQ(Summarize(*store, "", kQuiet)->partitions(0).sha256(), digest.Finish());
}

TEST_F(BackupTest, AnImportThatBrokeOffIsRunAgain) {
  const std::string backup = Backup(*store_);
  const auto other = NewStore();
  // A pipe that broke: it could not be checked before.
  class Pipe : public std::stringbuf {
   public:
    using std::stringbuf::stringbuf;
    pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override { return pos_type(off_type(-1)); }
  };
  for (const size_t part : {backup.size() / 3, backup.size() * 2 / 3, backup.size() - 1}) {
    Pipe pipe(backup.substr(0, part));
    std::istream in(&pipe);
    EXPECT_EQ(status::Reason(Import(in, "test", *other, kQuiet).status()), "BACKUP_TRUNCATED");
    EXPECT_FALSE(other->Partitions("")->empty());
  }
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(ImportInto(*other, backup).ok());
    EXPECT_TRUE(Backup(*other) == backup);
  }
}

TEST_F(BackupTest, WhatIsCutOffIsNoticedBeforeAnythingIsStored) {
  const std::string backup = Backup(*store_);
  const auto other = NewStore();
  for (size_t size = 1; size < backup.size(); size += backup.size() / 50) {
    const std::string reason = ReasonOfChecking(backup.substr(0, size));
    EXPECT_TRUE(reason == "BACKUP_TRUNCATED" || (size < 60 && reason == "BACKUP_INVALID")) << size << " " << reason;
    EXPECT_FALSE(ImportInto(*other, backup.substr(0, size)).ok());
  }
  EXPECT_THAT(*other->Partitions(""), IsEmpty());
}

TEST_F(BackupTest, AnyFlippedByteIsNoticed) {
  const auto store = NewStore();
  ASSERT_TRUE(store->Commit({kWave, {{"a", "1", std::nullopt, 0}, {"b", "2"}}, {}, {"first"}}).ok());
  ASSERT_TRUE(store->Commit({kWave, {{"b", std::nullopt}}}).ok());
  const std::string backup = Backup(*store);
  const auto other = NewStore();
  for (size_t at = 0; at < backup.size(); ++at) {
    for (const int flip : {0x01, 0x20, 0x80}) {
      std::string damaged = backup;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      EXPECT_NE(ReasonOfChecking(damaged), "") << "byte " << at << " flipped with " << flip;
    }
  }
}

TEST_F(BackupTest, RecordsThatDoNotFitAreRefused) {
  const std::string backup = Backup(*NewStore());
  struct Case {
    const char* what;
    std::string file;
    const char* reason;
  };
  v1::BackupRecord newer;
  newer.mutable_header()->set_format("peiling store backup");
  newer.mutable_header()->set_version(2);
  v1::BackupRecord event;
  event.mutable_event()->set_sequence(1);
  const Case cases[] = {
      {"nothing", "", "BACKUP_INVALID"},
      {"a text", std::string(1000, '#'), "BACKUP_INVALID"},
      {"a newer version", Frame(newer), "BACKUP_VERSION"},
      {"something behind the end", backup + "x", "BACKUP_DAMAGED"},
      {"two backups", backup + backup, "BACKUP_DAMAGED"},
      {"an event of no partition", backup.substr(0, static_cast<unsigned char>(backup[0]) + 1) + Frame(event), "BACKUP_DAMAGED"},
      {"a huge length", backup.substr(0, static_cast<unsigned char>(backup[0]) + 1) + "\xff\xff\xff\xff\x7f", "BACKUP_DAMAGED"},
  };
  for (const Case& c : cases) EXPECT_EQ(ReasonOfChecking(c.file), c.reason) << c.what;
}

TEST_F(BackupTest, AStoreThatHoldsOtherThingsIsRefused) {
  const std::string backup = Backup(*store_);
  struct Case {
    const char* what;
    Batch before;
    std::string partition;  // Named in the message.
    std::string key;
  };
  const Case cases[] = {
      {"another value", {kWave, {{"a", "theirs"}}}, kWave, "document a "},
      {"another event", {kWave, {}, {}, {"theirs"}}, kWave, "event 1 "},
      {"a partition too many", {"theirs", {{"a", "1"}}}, "theirs", ""},
      {"a document too many", {kWave, {{"theirs", "1"}}}, kWave, ""},
  };
  for (const Case& c : cases) {
    const auto other = NewStore();
    ASSERT_TRUE(other->Commit(c.before).ok());
    const absl::Status status = ImportInto(*other, backup);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << c.what;
    EXPECT_EQ(status::Reason(status), "RESTORE_CONFLICT") << c.what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(c.partition), HasSubstr(c.key))) << c.what;
  }
}

TEST_F(BackupTest, TheBackupOfAnotherServiceIsRefused) {
  const auto other = NewStore();
  const absl::Status status = ImportInto(*other, Backup(*store_), "dedup");
  EXPECT_EQ(status::Reason(status), "BACKUP_OWNER");
  EXPECT_THAT(*other->Partitions(""), IsEmpty());
}

TEST_F(BackupTest, AStoreThatChangesMeanwhileHasNoBackup) {
  struct Case {
    const char* what;
    Batch change;
  };
  const Case cases[] = {
      {"a document", {kWave, {{"b", "changed"}}}},
      {"the same put again", {kWave, {{"b", ""}}}},
      {"an event", {kWave, {}, {}, {"event"}}},
      {"a new partition", {"new", {{"a", "1"}}}},
  };
  for (const Case& c : cases) {
    bool changed = false;
    const Progress change = [&](const std::string& step, uint64_t, uint64_t) {
      if (!std::exchange(changed, true)) {
        EXPECT_EQ(step, "writing");
        ASSERT_TRUE(store_->Commit(c.change).ok());
      }
    };
    std::ostringstream out;
    const absl::Status status = Export(*store_, "test", Now(), out, change).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << c.what;
    EXPECT_EQ(status::Reason(status), "STORE_CHANGED") << c.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.change.partition)) << c.what;
    EXPECT_EQ(ReasonOfChecking(out.str()), "BACKUP_TRUNCATED") << c.what;
  }
}

TEST_F(BackupTest, AFileThatTakesNoMoreIsAnError) {
  class Full : public std::streambuf {
    int overflow(int c) override { return ++written_ > 10'000 ? EOF : c; }
    int written_ = 0;
  } full;
  std::ostream out(&full);
  EXPECT_EQ(status::Reason(Export(*store_, "test", Now(), out, kQuiet).status()), "FILE_NOT_WRITABLE");
}

TEST_F(BackupTest, ProgressGoesUpToTheEnd) {
  std::vector<std::string> ends;
  const Progress note = [&](const std::string& step, uint64_t done, uint64_t total) {
    const std::string line = step + " " + std::to_string(done) + " of " + std::to_string(total);
    if (!ends.empty() && ends.back().compare(0, step.size() + 1, step + " ") == 0) ends.pop_back();
    ends.push_back(line);
  };
  std::ostringstream out;
  ASSERT_TRUE(Export(*store_, "test", Now(), out, note).ok());
  std::istringstream in(out.str());
  ASSERT_TRUE(Import(in, "test", *NewStore(), note).ok());
  // The deleted document is not counted before it is found.
  EXPECT_THAT(ends, ElementsAre("writing 1207 of 1206", "reading again 1207 of 1207", "checking 1207 of 0", "restoring 1207 of 1207",
                                "comparing 1207 of 1207"));
}

TEST_F(BackupTest, RandomBytesNeverCrashTheReader) {
  std::mt19937 random(7);
  const std::string backup = Backup(*NewStore());
  for (int round = 0; round < 2000; ++round) {
    std::string file = backup;
    file.resize(file.size() - random() % file.size());
    for (size_t i = random() % 200; i > 0; --i) file.push_back(static_cast<char>(random()));
    EXPECT_TRUE(file == backup || ReasonOfChecking(file) != "");
  }
}

}  // namespace
}  // namespace peiling::storage
