#include "services/common/vault/vault.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "services/common/vault/key_marks.h"

namespace peiling::vault {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// 32 bytes each, in base64.
constexpr char kKeyA[] = "k-a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr char kKeyB[] = "k-b Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

std::unique_ptr<Vault> Of(const std::string& lines) {
  auto vault = Vault::Make(lines);
  EXPECT_TRUE(vault.ok()) << vault.status();
  return *std::move(vault);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Folder {
 public:
  Folder() { EXPECT_NE(::mkdtemp(path_), nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& file) const { return std::string(path_) + "/" + file; }

 private:
  char path_[32] = "/tmp/vault_test.XXXXXX";
};

TEST(VaultTest, OpensWhatItSealed) {
  const auto vault = Of(kKeyA);
  for (const std::string& data : {std::string(), std::string("Jansen, A."), std::string("\0\1\2", 3), std::string(100'000, 'x')}) {
    const std::string sealed = vault->Seal(data, "contacts/contact/GM0363/1");
    EXPECT_THAT(sealed, Not(HasSubstr("Jansen")));
    EXPECT_EQ(vault->Unseal(sealed, "contacts/contact/GM0363/1").value(), data);
  }
}

TEST(VaultTest, SealsTheSameDifferentlyEachTime) {
  const auto vault = Of(kKeyA);
  std::set<std::string> sealed;
  for (int i = 0; i < 1000; ++i) sealed.insert(vault->Seal("Jansen", "here"));
  EXPECT_EQ(sealed.size(), 1000u);
}

TEST(VaultTest, RefusesWhatBelongsElsewhere) {
  const auto vault = Of(kKeyA);
  EXPECT_EQ(status::Reason(vault->Unseal(vault->Seal("Jansen", "contact/1"), "contact/2").status()), "STORAGE_CORRUPT");
}

TEST(VaultTest, RefusesWhatWasChangedAnywhere) {
  const auto vault = Of(kKeyA);
  const std::string sealed = vault->Seal("Jansen", "here");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(vault->Unseal(changed, "here").ok()) << i;
  }
  for (size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(vault->Unseal(sealed.substr(0, size), "here").ok()) << size;
  EXPECT_FALSE(vault->Unseal(sealed + "x", "here").ok());
}

// A head that is moved into the context would otherwise be bound to the same bytes.
TEST(VaultTest, TellsTheKeysIdFromTheContext) {
  const auto short_id = Of("k AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  const auto long_id = Of("k-a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  std::string sealed = short_id->Seal("Jansen", "-ahere");
  sealed.replace(4, 2, std::string("\3k-a"));
  EXPECT_EQ(status::Reason(long_id->Unseal(sealed, "here").status()), "STORAGE_CORRUPT");
}

TEST(VaultTest, RefusesWhatWasNeverSealed) {
  const auto vault = Of(kKeyA);
  for (const char* const data : {"\x0a\x03old", ""}) {
    EXPECT_EQ(status::Reason(vault->Unseal(data, "here").status()), "STORAGE_CORRUPT");
    EXPECT_FALSE(Vault::IsSealed(data));
    EXPECT_TRUE(vault->NeedsResealing(data));
  }
  EXPECT_TRUE(Vault::IsSealed(vault->Seal("", "here")));
}

TEST(VaultTest, OpensWithEveryKeyAndSealsWithTheFirst) {
  const auto before = Of(kKeyA);
  const auto rotated = Of(std::string(kKeyB) + "\n" + kKeyA + "\n");
  const auto after = Of(kKeyB);
  const std::string old_one = before->Seal("Jansen", "here");
  EXPECT_EQ(rotated->Unseal(old_one, "here").value(), "Jansen");
  EXPECT_TRUE(rotated->NeedsResealing(old_one));
  const std::string new_one = rotated->Seal("Jansen", "here");
  EXPECT_FALSE(rotated->NeedsResealing(new_one));
  EXPECT_EQ(after->Unseal(new_one, "here").value(), "Jansen");
  EXPECT_EQ(Vault::KeyOf(old_one), "k-a");
  EXPECT_EQ(Vault::KeyOf(new_one), "k-b");
  EXPECT_THAT(rotated->key_ids(), ElementsAre("k-b", "k-a"));

  const absl::Status gone = after->Unseal(old_one, "here").status();
  EXPECT_EQ(status::Reason(gone), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_EQ(status::Metadata(gone)["key"], "k-a");
}

TEST(VaultTest, WhatALostKeySealedIsGone) {
  const std::string sealed = Of(kKeyA)->Seal("Jansen", "here");
  const auto vault = Of(std::string(kKeyB) + "\nk-a lost");
  EXPECT_TRUE(vault->IsGone(sealed));
  EXPECT_THAT(vault->lost_ids(), ElementsAre("k-a"));
  EXPECT_EQ(status::Reason(vault->Unseal(sealed, "here").status()), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_FALSE(Of(kKeyB)->IsGone(sealed)) << "its key may be put back";
  EXPECT_FALSE(vault->IsGone(vault->Seal("Jansen", "here")));
  EXPECT_FALSE(vault->IsGone("not sealed"));
}

TEST(VaultTest, DerivesTheSameForTheSameKeyAndPurposeOnly) {
  const auto one = Of(kKeyA);
  const auto other = Of(std::string(kKeyB) + "\n" + kKeyA);
  EXPECT_EQ(one->Derive("k-a", "invitation-token").value(), other->Derive("k-a", "invitation-token").value());
  EXPECT_EQ(one->Derive("k-a", "invitation-token")->size(), 32u);
  EXPECT_NE(one->Derive("k-a", "invitation-token").value(), one->Derive("k-a", "unsubscribe-token").value());
  EXPECT_NE(other->Derive("k-a", "invitation-token").value(), other->Derive("k-b", "invitation-token").value());
  EXPECT_EQ(status::Reason(one->Derive("k-b", "invitation-token").status()), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_TRUE(other->HasKey("k-a"));
  EXPECT_FALSE(one->HasKey("k-b"));
}

TEST(KeyLinesTest, PassesOverCommentsAndEmptyLines) {
  const auto vault = Of(std::string("# of 2026\r\n\n  ") + kKeyB + "  # new\r\n\t\n" + kKeyA);
  EXPECT_EQ(vault->key_id(), "k-b");
}

TEST(KeyLinesTest, SaysWhichLineIsWrongButNeverTheKey) {
  const struct {
    std::string lines;
    std::string line;
    std::string why;
  } cases[] = {
      {"", "1", "no key"},
      {"# nothing\n", "2", "no key"},
      {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "1", "<id>"},
      {std::string(kKeyB) + "\nkey AAEC", "2", "32 bytes"},
      {"key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "1", "32 bytes"},
      {"key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==", "1", "32 bytes"},
      {"Key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "1", "lower-case"},
      {"k12345678901234567890 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "1", "1 to 20"},
      {std::string(kKeyA) + "\n" + kKeyA, "2", "twice"},
      {std::string(kKeyA) + " more", "1", "<id>"},
      {std::string(kKeyA) + "\nk-a lost", "2", "twice"},
      {"k-a lost", "1", "no key"},
  };
  for (const auto& wrong : cases) {
    const absl::Status status = Vault::Make(wrong.lines).status();
    EXPECT_EQ(status::Reason(status), "PERSONAL_DATA_KEYS_INVALID") << wrong.lines;
    EXPECT_EQ(status::Metadata(status)["line"], wrong.line) << wrong.lines;
    EXPECT_THAT(std::string(status.message()), HasSubstr(wrong.why)) << wrong.lines;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("AAEC"))) << wrong.lines;
  }
}

class VaultOpenTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Vault>> Open(const Options& options, const std::string& address) {
    return OpenVault(options, address, *store_);
  }
  // Of a service with a store in a file, as long as no keys are given.
  absl::StatusOr<std::unique_ptr<Vault>> OpenFile() { return Open({}, "sqlite:" + (folder_ / "fieldwork.db")); }

  const Folder folder_;
  const std::string keys_ = folder_ / "fieldwork.db.keys";
  const std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "test");
};

TEST_F(VaultOpenTest, MakesKeysBesideAFileOnce) {
  const auto first = OpenFile();
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string sealed = (*first)->Seal("Jansen", "here");
  const auto second = OpenFile();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->Unseal(sealed, "here").value(), "Jansen");

  struct stat file;
  ASSERT_EQ(::stat(keys_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / ""), {}), 1) << "nothing else is left behind";
}

TEST_F(VaultOpenTest, GivesAllWhoMakeKeysAtOnceTheSame) {
  std::vector<std::string> ids(16);
  std::vector<std::thread> threads;
  for (std::string& id : ids) {
    threads.emplace_back([&id, this] {
      const auto store = *storage::OpenStore("sqlite::memory:", "test");
      const auto vault = OpenVault({}, "sqlite:" + (folder_ / "fieldwork.db"), *store);
      id = vault.ok() ? (*vault)->key_id() : std::string(vault.status().message());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u) << testing::PrintToString(ids);
}

TEST_F(VaultOpenTest, LeavesKeysAloneThatCannotBeRead) {
  std::ofstream(keys_) << "k1 torn";
  EXPECT_EQ(status::Reason(OpenFile().status()), "PERSONAL_DATA_KEYS_INVALID");
  EXPECT_EQ(ReadAll(keys_), "k1 torn");
}

TEST_F(VaultOpenTest, SaysWhenTheFileCannotBeMade) {
  EXPECT_EQ(status::Reason(Open({}, "sqlite:/nowhere/at/all.db").status()), "PERSONAL_DATA_KEYS_MISSING");
}

TEST_F(VaultOpenTest, MakesNoNewKeyForAStoreThatHasSealedData) {
  ASSERT_TRUE(OpenFile().ok());
  const std::string id = ReadAll(keys_).substr(0, 9);
  std::filesystem::rename(keys_, folder_ / "away");
  const absl::Status lost = OpenFile().status();
  EXPECT_EQ(status::Reason(lost), "PERSONAL_DATA_KEYS_MISSING");
  EXPECT_THAT(std::string(lost.message()), HasSubstr(keys_));
  EXPECT_THAT(std::string(lost.message()), HasSubstr("\"" + id + " lost\""));
  EXPECT_FALSE(std::filesystem::exists(keys_));

  std::ofstream(keys_) << kKeyA << "\n" << id << " lost\n";
  EXPECT_TRUE(OpenFile().ok()) << "the way out";
  std::filesystem::rename(folder_ / "away", keys_);
  EXPECT_EQ(status::Reason(OpenFile().status()), "PERSONAL_DATA_KEY_MISSING") << "by now something may be sealed with the other";
}

TEST_F(VaultOpenTest, OpensNoStoreWithOtherKeysThanItsOwn) {
  ASSERT_TRUE(Open({.keys = kKeyA}, "redis://localhost").ok());
  const struct {
    std::string keys;
    std::string reason;
  } cases[] = {
      {kKeyB, "PERSONAL_DATA_KEY_MISSING"},    {std::string("k-a") + std::string(kKeyB).substr(3), "PERSONAL_DATA_KEYS_INVALID"},
      {std::string(kKeyB) + "\n" + kKeyA, ""}, {kKeyA, "PERSONAL_DATA_KEY_MISSING"},
      {std::string(kKeyA) + "\n" + kKeyB, ""}, {std::string(kKeyB) + "\nk-a lost", ""},
  };
  for (const auto& c : cases) {
    const absl::Status status = Open({.keys = c.keys}, "redis://localhost").status();
    EXPECT_EQ(status::Reason(status), c.reason) << c.keys.substr(0, 3);
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("AAEC")));
  }
}

TEST_F(VaultOpenTest, GivesStoresInMemoryKeysOfTheirOwn) {
  const auto one = Open({}, "sqlite::memory:");
  const auto other = Open({}, "sqlite::memory:");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_FALSE((*other)->Unseal((*one)->Seal("Jansen", "here"), "here").ok());
}

TEST_F(VaultOpenTest, WantsKeysForAStoreThatIsShared) {
  const absl::Status missing = Open({}, "redis://localhost:6379").status();
  EXPECT_EQ(status::Reason(missing), "PERSONAL_DATA_KEYS_MISSING");
  EXPECT_THAT(std::string(missing.message()), HasSubstr("--personal-data-key-file"));
  EXPECT_TRUE(Open({.keys = kKeyA}, "redis://localhost:6379").ok());
}

TEST_F(VaultOpenTest, TakesTheEnvironmentBeforeTheFile) {
  std::ofstream(folder_ / "keys") << kKeyA << "\n" << kKeyB << "\n";
  EXPECT_EQ((*Open({.key_file = folder_ / "keys"}, "redis://localhost"))->key_id(), "k-a");
  EXPECT_EQ((*Open({.key_file = folder_ / "keys", .keys = std::string(kKeyB) + "\n" + kKeyA}, "redis://localhost"))->key_id(), "k-b");
  EXPECT_EQ(status::Reason(Open({.key_file = folder_ / "none"}, "sqlite::memory:").status()), "PERSONAL_DATA_KEYS_MISSING");
}

TEST(VaultFlagsTest, ReadsFlagAndEnvironment) {
  ::setenv("PEILING_PERSONAL_DATA_KEYS", kKeyA, 1);
  ::setenv("PEILING_PERSONAL_DATA_KEY_FILE", "/run/keys", 1);
  CLI::App app;
  Options options;
  AddFlags(app, options);
  app.parse("");
  EXPECT_EQ(options.keys, kKeyA);
  EXPECT_EQ(options.key_file, "/run/keys");
  EXPECT_THAT(app.help(), Not(HasSubstr("AAEC")));
  ::unsetenv("PEILING_PERSONAL_DATA_KEYS");
  ::unsetenv("PEILING_PERSONAL_DATA_KEY_FILE");
}

}  // namespace
}  // namespace peiling::vault
