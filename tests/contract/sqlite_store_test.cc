// What the SQLite store promises about its file: crashes, full disks, damage, other processes, other versions.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/contract/place.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kWave[] = "surveys/s/waves/w";

std::unique_ptr<Store> MustOpen(const std::filesystem::path& file) {
  auto store = OpenStore("sqlite:" + file.string(), "test");
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? std::move(*store) : nullptr;
}

std::string ReasonOfOpening(const std::filesystem::path& file) {
  return status::Reason(OpenStore("sqlite:" + file.string(), "test").status());
}

// Keeps the store from writing until it goes away.
class WriteLock {
 public:
  explicit WriteLock(const std::filesystem::path& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &db_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~WriteLock() { sqlite3_close(db_); }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

// A document and an event that names it.
Batch Pair(const std::string& key, const std::string& value) {
  return {kWave, {{"a/" + key, value, 0}, {"b/" + key, value, 0}}, {}, {key, key}};
}

// Everything of `keys` is there, whole; whatever else is there is whole too; the feed has no gap. Returns how many pairs there are.
size_t ExpectWhole(Store& store, const std::set<std::string>& keys) {
  std::set<std::string> first, second;
  std::string after;
  while (true) {
    auto page = store.List(kWave, "", after, 1000);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok() || page->empty()) break;
    for (const Document& document : *page) (document.key[0] == 'a' ? first : second).insert(document.key.substr(2));
    after = page->back().key;
  }
  EXPECT_EQ(first, second);
  for (const std::string& key : keys) EXPECT_TRUE(first.count(key)) << key << " was acknowledged and is lost";
  std::multiset<std::string> events;
  uint64_t sequence = 0;
  while (true) {
    auto page = store.ReadFeed(kWave, sequence, 1000);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok() || page->empty()) break;
    for (const FeedEvent& event : *page) {
      EXPECT_EQ(event.sequence, ++sequence);
      events.insert(event.value);
    }
  }
  EXPECT_EQ(*store.LastSequence(kWave), sequence);
  EXPECT_EQ(events.size(), 2 * first.size());
  for (const std::string& key : first) EXPECT_EQ(events.count(key), 2u) << key;
  return first.size();
}

class SqliteStoreTest : public ::testing::Test {
 protected:
  Folder folder_;
  const std::filesystem::path file_ = folder_.path() / "store.db";
};

// ---- Crashes

// Commits from several threads until killed, and writes every acknowledged key, 16 bytes, to `pipe`.
[[noreturn]] void CommitUntilKilled(const std::filesystem::path& file, int round, int pipe) {
  auto store = OpenStore("sqlite:" + file.string(), "test");
  if (!store.ok()) _exit(1);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string value(3000, 'x');
      for (int i = 0;; ++i) {
        std::string key = std::to_string(round) + "-" + std::to_string(thread) + "-" + std::to_string(i);
        key.resize(16, '-');
        if (!(*store)->Commit(Pair(key, value)).ok() || write(pipe, key.data(), key.size()) != 16) _exit(2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  _exit(3);
}

TEST_F(SqliteStoreTest, KillingTheProcessLosesNothingAcknowledgedAndLeavesNothingHalf) {
  std::mt19937 random(20221);
  std::set<std::string> acknowledged;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  int rounds = 0;
  for (; rounds < 25 && std::chrono::steady_clock::now() < end; ++rounds) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      CommitUntilKilled(file_, rounds, ends[1]);
    }
    close(ends[1]);
    char key[17] = {};
    // Killed at any moment after its first few commits.
    for (int seen = 0; seen < 5 && read(ends[0], key, 16) == 16; ++seen) acknowledged.insert(key);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    kill(child, SIGKILL);
    while (read(ends[0], key, 16) == 16) acknowledged.insert(key);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  }
  auto store = MustOpen(file_);
  ASSERT_NE(store, nullptr);
  EXPECT_GE(ExpectWhole(*store, acknowledged), acknowledged.size());
  EXPECT_GT(acknowledged.size(), 5u * rounds - 1);
}

// ---- Other processes

TEST_F(SqliteStoreTest, AFileBelongsToOneStore) {
  auto store = MustOpen(file_);
  EXPECT_EQ(ReasonOfOpening(file_), "STORAGE_IN_USE");
  const pid_t child = fork();
  if (child == 0) {
    auto second = OpenStore("sqlite:" + file_.string(), "test");
    _exit(second.status().code() == absl::StatusCode::kUnavailable && status::Reason(second.status()) == "STORAGE_IN_USE" ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "another process opened the file";
  EXPECT_TRUE(store->Commit(Pair("k", "v")).ok());
  store.reset();
  EXPECT_NE(MustOpen(file_), nullptr);
}

TEST_F(SqliteStoreTest, FoldersAreCreatedAndFilesAreTheOwnersAlone) {
  const auto file = folder_.path() / "a" / "b" / "store.db";
  auto store = MustOpen(file);
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(store->Commit(Pair("k", "v")).ok());
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    struct stat info;
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(SqliteStoreTest, APlaceThatCannotHoldAFileIsAClearError) {
  std::ofstream(folder_.path() / "file") << "no folder";
  for (const auto& file : {folder_.path(), folder_.path() / "file" / "store.db"}) {
    auto store = OpenStore("sqlite:" + file.string(), "test");
    EXPECT_EQ(status::Reason(store.status()), "STORAGE_UNAVAILABLE") << file;
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(file.string()));
  }
}

// ---- Many callers

TEST_F(SqliteStoreTest, ManyCommitsAreOneTransactionAndTooManyAreRefused) {
  auto store = MustOpen(file_);
  auto lock = std::make_unique<WriteLock>(file_);
  std::atomic<int> ok = 0, busy = 0, other = 0, called = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 600; ++i) {
    callers.emplace_back([&, i] {
      ++called;
      const absl::Status status = store->Commit(Pair(std::to_string(i), "v")).status();
      ++(status.ok() ? ok : status::Reason(status) == "STORAGE_BUSY" ? busy : other);
    });
  }
  while (called < 600 || busy == 0) std::this_thread::sleep_for(milliseconds(1));
  std::this_thread::sleep_for(milliseconds(20));
  lock.reset();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(other, 0);
  EXPECT_GT(busy, 0);
  EXPECT_GE(ok, 512);
  EXPECT_EQ(*store->LastSequence(kWave), 2u * ok);
}

TEST_F(SqliteStoreTest, TheLogDoesNotGrowWithoutEnd) {
  auto store = MustOpen(file_);
  const std::string value(1 << 20, 'x');
  uintmax_t most = 0;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(store->Commit({kWave, {{std::to_string(i), value}}}).ok());
    most = std::max(most, std::filesystem::file_size(file_.string() + "-wal"));
  }
  EXPECT_LT(most, 24u << 20);
}

// ---- No room

// Commits documents of 64 KiB until one fails; the acknowledged ones go to `acknowledged`.
absl::Status FillUp(Store& store, const std::string& name, std::set<std::string>& acknowledged) {
  const std::string value(64 << 10, 'x');
  for (int i = 0; i < 1000; ++i) {
    const std::string key = name + std::to_string(i);
    if (absl::Status status = store.Commit(Pair(key, value)).status(); !status.ok()) return status;
    acknowledged.insert(key);
  }
  return absl::OkStatus();
}

TEST_F(SqliteStoreTest, AtTheLimitOfFileSizeCommitsFailAndGoOnOnceThereIsRoom) {
  std::signal(SIGXFSZ, SIG_IGN);
  auto store = MustOpen(file_);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 6 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::set<std::string> acknowledged;
  const absl::Status full = FillUp(*store, "before", acknowledged);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(status::Reason(full), "STORAGE_FULL");
  ExpectWhole(*store, acknowledged);
  EXPECT_TRUE(store->Commit(Pair("after", "value")).ok());
  acknowledged.insert("after");
  store.reset();
  store = MustOpen(file_);
  ExpectWhole(*store, acknowledged);
}

// A file system of 8 MiB.
class SmallDisk {
 public:
  SmallDisk() : mounted_(mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=8m") == 0) {}
  ~SmallDisk() {
    if (mounted_) umount(folder_.path().c_str());
  }
  bool mounted() const { return mounted_; }
  std::filesystem::path file() const { return folder_.path() / "store.db"; }
  void Fill() {
    std::ofstream filler(folder_.path() / "filler");
    const std::string block(64 << 10, 'x');
    while (filler << block << std::flush) continue;
  }
  void Free() { std::filesystem::remove(folder_.path() / "filler"); }

 private:
  Folder folder_;
  const bool mounted_;
};

TEST(SqliteStoreOnSmallDisk, WhenItIsFullCommitsFailAndGoOnOnceThereIsRoom) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a file system";
  auto store = MustOpen(disk.file());
  ASSERT_NE(store, nullptr);
  std::set<std::string> acknowledged;
  ASSERT_TRUE(store->Commit(Pair("before", "value")).ok());
  acknowledged.insert("before");
  disk.Fill();
  for (int round = 0; round < 3; ++round) {
    const absl::Status full = FillUp(*store, "full" + std::to_string(round) + "-", acknowledged);
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
    EXPECT_EQ(status::Reason(full), "STORAGE_FULL");
    ExpectWhole(*store, acknowledged);
  }
  EXPECT_EQ(status::Reason(store->Health()), "STORAGE_FULL");
  disk.Free();
  // Nobody writes, and yet it is known that one can again.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!store->Health().ok() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(store->Health().ok()) << store->Health();
  EXPECT_TRUE(store->Commit(Pair("after", std::string(256 << 10, 'x'))).ok());
  acknowledged.insert("after");
  store.reset();
  store = MustOpen(disk.file());
  ASSERT_NE(store, nullptr);
  ExpectWhole(*store, acknowledged);
}

TEST(SqliteStoreOnSmallDisk, WhatHasRoomIsCommittedBesideWhatHasNot) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a file system";
  auto store = MustOpen(disk.file());
  ASSERT_NE(store, nullptr);
  auto lock = std::make_unique<WriteLock>(disk.file());
  std::vector<std::thread> callers;
  std::set<std::string> acknowledged;
  for (int i = 0; i < 8; ++i) {
    const std::string key = std::to_string(i);
    // One of them has more than the disk.
    if (i != 3) acknowledged.insert(key);
    callers.emplace_back([&store, key, large = i == 3] {
      const absl::Status status = store->Commit(Pair(key, std::string(large ? 6 << 20 : 1000, 'x'))).status();
      EXPECT_EQ(status::Reason(status), large ? "STORAGE_FULL" : "") << status;
    });
  }
  std::this_thread::sleep_for(milliseconds(50));
  lock.reset();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ExpectWhole(*store, acknowledged), 7u);
}

TEST(SqliteStoreOnSmallDisk, AFullDiskAtTheStartIsAClearError) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a file system";
  disk.Fill();
  EXPECT_EQ(ReasonOfOpening(disk.file()), "STORAGE_FULL");
  disk.Free();
  auto store = MustOpen(disk.file());
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(store->Commit(Pair("k", "v")).ok());
}

// ---- Damage and versions

class DamagedStore : public SqliteStoreTest {
 protected:
  void SetUp() override {
    Batch batch{kWave};
    for (int i = 0; i < 400; ++i) batch.writes.push_back({"a/" + std::to_string(i), std::string(i * 10, 'x'), 0});
    batch.events.assign(200, std::string(501, 'x'));
    ASSERT_TRUE(MustOpen(file_)->Commit(std::move(batch)).ok());
  }

  void Overwrite(uint64_t position, const std::string& bytes) {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(position));
    file << bytes;
  }

  std::string Noise(size_t size) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random_());
    return noise;
  }

  // The reasons of all errors of opening, reading everything and writing.
  std::set<std::string> Reasons() {
    std::set<std::string> reasons;
    const auto note = [&](const absl::Status& status) {
      if (!status.ok()) reasons.insert(status::Reason(status));
    };
    auto store = OpenStore("sqlite:" + file_.string(), "test");
    note(store.status());
    if (!store.ok()) return reasons;
    note((*store)->List(kWave, "", "", 10'000).status());
    note((*store)->ReadFeed(kWave, 0, 10'000).status());
    note((*store)->Commit({kWave, {{"new", "value"}, {"a/7", "value"}}, {}, {"event"}}).status());
    return reasons;
  }

  std::mt19937 random_{42};
};

TEST_F(DamagedStore, IsWholeBeforeItIsDamaged) { EXPECT_THAT(Reasons(), IsEmpty()); }

TEST_F(DamagedStore, AFileOfNoiseIsRefused) {
  std::ofstream(file_, std::ios::binary | std::ios::trunc) << Noise(100'000);
  EXPECT_EQ(ReasonOfOpening(file_), "STORAGE_CORRUPT");
  EXPECT_EQ(OpenStore("sqlite:" + file_.string(), "test").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DamagedStore, ATextFileIsRefused) {
  std::ofstream(file_, std::ios::trunc) << std::string(5000, '#');
  EXPECT_EQ(ReasonOfOpening(file_), "STORAGE_CORRUPT");
}

TEST_F(DamagedStore, ATruncatedFileIsNoticed) {
  for (const double part : {0.9, 0.5, 0.1}) {
    std::filesystem::resize_file(file_, static_cast<uintmax_t>(part * static_cast<double>(std::filesystem::file_size(file_))));
    EXPECT_THAT(Reasons(), ::testing::Contains("STORAGE_CORRUPT")) << part;
  }
}

TEST_F(DamagedStore, PagesOfNoiseAreNoticed) {
  const size_t pages = std::filesystem::file_size(file_) / 4096;
  for (size_t page = 1; page < pages; ++page) {
    if (page % 3 == 0) Overwrite(page * 4096, Noise(4096));
  }
  EXPECT_THAT(Reasons(), ::testing::Contains("STORAGE_CORRUPT"));
}

TEST_F(DamagedStore, FlippedBytesNeverCrashIt) {
  const auto whole = folder_.path() / "whole.db";
  std::filesystem::copy_file(file_, whole);
  const uintmax_t size = std::filesystem::file_size(file_);
  int noticed = 0;
  for (int round = 0; round < 60; ++round) {
    std::filesystem::copy_file(whole, file_, std::filesystem::copy_options::overwrite_existing);
    for (int flip = 0; flip < 100; ++flip) Overwrite(random_() % size, Noise(1));
    const auto reasons = Reasons();
    for (const std::string& reason : reasons) {
      EXPECT_TRUE(reason == "STORAGE_CORRUPT" || reason == "STORAGE_VERSION" || reason == "STORAGE_UNAVAILABLE") << reason;
    }
    noticed += reasons.empty() ? 0 : 1;
  }
  EXPECT_GT(noticed, 0);
}

class OtherDatabase : public SqliteStoreTest {
 protected:
  void Execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
};

TEST_F(OtherDatabase, OfAnotherProgramIsRefusedAndLeftAlone) {
  Execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  auto store = OpenStore("sqlite:" + file_.string(), "test");
  EXPECT_EQ(status::Reason(store.status()), "STORAGE_CORRUPT");
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("not a store of Peiling"));
  Execute("UPDATE theirs SET a = 2");
}

TEST_F(OtherDatabase, OfAnotherVersionIsRefusedAndLeftAlone) {
  ASSERT_TRUE(MustOpen(file_)->Commit(Pair("k", "v")).ok());
  for (const std::string version : {"1", "99"}) {
    Execute("PRAGMA user_version = " + version);
    auto store = OpenStore("sqlite:" + file_.string(), "test");
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status::Reason(store.status()), "STORAGE_VERSION");
    EXPECT_THAT(std::string(store.status().message()), AllOf(HasSubstr("version " + version), HasSubstr("quickstart --fresh")));
  }
  Execute("PRAGMA user_version = 2");
  EXPECT_EQ(ExpectWhole(*MustOpen(file_), {"k"}), 1u);
}

TEST_F(OtherDatabase, OfAnotherOwnerIsRefused) {
  ASSERT_TRUE(MustOpen(file_)->Commit(Pair("k", "v")).ok());
  auto store = OpenStore("sqlite:" + file_.string(), "dedup");
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(store.status()), "STORAGE_OWNER");
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("is the store of test, not of dedup"));
}

TEST_F(OtherDatabase, AnEmptyFileBecomesAStore) {
  std::ofstream(file_).flush();
  EXPECT_TRUE(MustOpen(file_)->Commit(Pair("k", "v")).ok());
}

// Everything in the files of a store.
std::string Bytes(const std::filesystem::path& file) {
  std::string all;
  for (const char* const end : {"", "-wal"}) {
    std::ifstream part(file.string() + end, std::ios::binary);
    all.append(std::istreambuf_iterator<char>(part), {});
  }
  return all;
}

// Whether a text leaves them within a minute.
bool Leaves(const std::string& text, const std::filesystem::path& file) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (Bytes(file).find(text) != std::string::npos) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

TEST(SqliteStore, WhatIsDeletedOrReplacedLeavesItsFilesWhileItIsOpen) {
  const Folder folder;
  const std::filesystem::path file = folder.path() / "store.db";
  const auto store = MustOpen(file);
  ASSERT_TRUE(store->Commit({kWave, {{"a", "of Nergenshuizen", 0}, {"b", "of Nergenshuizen", 0}}}).ok());
  EXPECT_THAT(Bytes(file), HasSubstr("Nergenshuizen"));
  ASSERT_TRUE(store->Commit({kWave, {{"a", std::nullopt, 1}, {"b", "of nowhere", 1}}}).ok());
  EXPECT_TRUE(Leaves("Nergenshuizen", file));
  EXPECT_EQ((*store->Get(kWave, "b"))->value, "of nowhere");
}

TEST(SqliteStore, WhatWasDeletedRightBeforeItWasKilledLeavesItsFilesWhenItIsOpenedAgain) {
  const Folder folder;
  const std::filesystem::path killed = folder.path() / "killed.db";
  {
    const std::filesystem::path file = folder.path() / "store.db";
    const auto store = MustOpen(file);
    ASSERT_TRUE(store->Commit({kWave, {{"a", "of Nergenshuizen", 0}}}).ok());
    ASSERT_TRUE(store->Commit({kWave, {{"a", std::nullopt, 1}}}).ok());
    // What a process that is killed at this moment leaves behind.
    for (const char* const end : {"", "-wal"}) std::filesystem::copy_file(file.string() + end, killed.string() + end);
  }
  ASSERT_THAT(Bytes(killed), HasSubstr("Nergenshuizen"));
  const auto store = MustOpen(killed);
  EXPECT_TRUE(Leaves("Nergenshuizen", killed));
  EXPECT_FALSE((*store->Get(kWave, "a")).has_value());
}

}  // namespace
}  // namespace peiling::storage
