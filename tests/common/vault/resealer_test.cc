#include "services/common/vault/resealer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/vault/key_marks.h"
#include "tests/common/storage/forwarding_store.h"

namespace peiling::vault {
namespace {

constexpr char kOld[] = "k-a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
constexpr char kNew[] = "k-b Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=\n";

class ResealerTest : public testing::Test {
 protected:
  void Put(const std::string& partition, const std::string& key, const std::string& value) {
    ASSERT_TRUE(store_->Commit({.partition = partition, .writes = {{.key = key, .value = value}}}).ok());
  }
  std::string Value(const std::string& partition, const std::string& key) { return (*store_->Get(partition, key))->value; }

  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "test");
  std::unique_ptr<Vault> before_ = *Vault::Make(kOld);
  std::unique_ptr<Vault> rotated_ = *Vault::Make(std::string(kNew) + kOld);
  std::unique_ptr<Vault> after_ = *Vault::Make(kNew);
};

TEST_F(ResealerTest, SealsAnewWhatAnOldKeySealedAndWhatNoneDid) {
  for (int i = 0; i < 250; ++i) {
    const std::string key = "personal/" + std::to_string(i);
    Put("surveys/s/waves/w", key, before_->Seal("data " + std::to_string(i), ContextOf("surveys/s/waves/w", key)));
  }
  Put("surveys/s/waves/w#1", "personal/plain", "\x0a\x03old");
  Put("surveys/s/waves/w", "response/1", "not sealed");
  Put("elsewhere", "personal/1", "not sealed");
  const SealedDocuments documents{.partitions = "surveys/", .keys = "personal/", .unsealed_before = true};
  EXPECT_EQ(Reseal(*store_, *rotated_, documents)->old, 251);
  EXPECT_EQ(Reseal(*store_, *rotated_, documents)->old, 0);
  for (int i = 0; i < 250; ++i) {
    const std::string key = "personal/" + std::to_string(i);
    EXPECT_EQ(*after_->Unseal(Value("surveys/s/waves/w", key), ContextOf("surveys/s/waves/w", key)), "data " + std::to_string(i));
  }
  EXPECT_EQ(*after_->Unseal(Value("surveys/s/waves/w#1", "personal/plain"), ContextOf("surveys/s/waves/w#1", "personal/plain")),
            "\x0a\x03old");
  EXPECT_EQ(Value("surveys/s/waves/w", "response/1"), "not sealed");
  EXPECT_EQ(Value("elsewhere", "personal/1"), "not sealed");
}

TEST_F(ResealerTest, PassesOverWhatCannotBeOpened) {
  const std::string strange = (*Vault::Make(Vault::NewKey("strange")))->Seal("data", ContextOf("p", "b"));
  Put("p", "a", "not sealed");
  Put("p", "b", strange);
  Put("p", "c", before_->Seal("data", ContextOf("p", "elsewhere")));
  Put("p", "d", before_->Seal("data", ContextOf("p", "d")));
  const Resealed found = *Reseal(*store_, *rotated_, {.partitions = "p"});
  EXPECT_EQ(found.old, 4);
  EXPECT_EQ(found.unreadable, 3);
  EXPECT_EQ(Value("p", "a"), "not sealed");
  EXPECT_EQ(Value("p", "b"), strange);
  EXPECT_EQ(*after_->Unseal(Value("p", "d"), ContextOf("p", "d")), "data");
}

// Erases what is being sealed anew, right before it is written.
class ErasingStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    (void)ForwardingStore::Commit({.partition = batch.partition, .writes = {{.key = batch.writes[0].key, .value = std::nullopt}}});
    return ForwardingStore::Commit(std::move(batch));
  }
};

TEST_F(ResealerTest, DoesNotBringBackWhatIsErasedMeanwhile) {
  Put("p", "a", before_->Seal("data", ContextOf("p", "a")));
  ErasingStore erasing(*store_);
  EXPECT_TRUE(Reseal(erasing, *rotated_, {}).ok());
  EXPECT_FALSE((*store_->Get("p", "a")).has_value());
}

TEST_F(ResealerTest, LeavesAloneWhatIsGone) {
  const std::string gone = (*Vault::Make(Vault::NewKey("k-lost")))->Seal("data", ContextOf("p", "a"));
  Put("p", "a", gone);
  Put("p", "b", before_->Seal("data", ContextOf("p", "b")));
  const auto vault = *Vault::Make(std::string(kNew) + kOld + "k-lost lost");
  const Resealed found = *Reseal(*store_, *vault, {.partitions = "p"});
  EXPECT_EQ(found.gone, 1);
  EXPECT_EQ(found.old, 1);
  EXPECT_EQ(found.unreadable, 0);
  EXPECT_EQ(Value("p", "a"), gone);
  EXPECT_EQ(*after_->Unseal(Value("p", "b"), ContextOf("p", "b")), "data");
}

// Whether the store may be opened without the old key.
class UnusedKeyTest : public ResealerTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(MarkKey(*store_, *before_).ok());
    Put("p", "a", before_->Seal("data", ContextOf("p", "a")));
  }
  std::string ReasonWithoutTheOldKey() { return status::Reason(OpenVault({.keys = kNew}, "redis://nowhere", *store_).status()); }
  Resealer::Pass Pass() {
    return [this] { return Reseal(*store_, *rotated_, {.partitions = "p"}); };
  }
};

TEST_F(UnusedKeyTest, AKeyIsUnusedWhenTwoRunsFoundNothingOfIt) {
  Resealer resealer(*store_, *rotated_, {Pass()});
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING") << "the first run found some";
  // Another replica has not been restarted yet.
  Put("p", "b", before_->Seal("data", ContextOf("p", "b")));
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "");
}

TEST_F(UnusedKeyTest, AKeyStaysInUseAsLongAsAnythingCannotBeOpened) {
  Put("p", "b", before_->Seal("data", ContextOf("p", "elsewhere")));
  Resealer resealer(*store_, *rotated_, {Pass()});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_EQ(*after_->Unseal(Value("p", "a"), ContextOf("p", "a")), "data") << "the others are sealed anew";
}

TEST_F(UnusedKeyTest, WhatIsGoneKeepsNoOtherKeyInUseAndIsToBeSaidLostUntilItIsErased) {
  const auto lost = *Vault::Make(Vault::NewKey("k-lost"));
  ASSERT_TRUE(MarkKey(*store_, *lost).ok());
  Put("p", "gone", lost->Seal("data", ContextOf("p", "gone")));
  const std::string said = std::string(kNew) + kOld + "k-lost lost\n";
  const auto vault = *Vault::Make(said);
  const auto pass = [&] { return Reseal(*store_, *vault, {.partitions = "p"}); };
  const auto reason = [&](const std::string& keys) {
    return status::Reason(OpenVault({.keys = keys}, "redis://nowhere", *store_).status());
  };
  Resealer resealer(*store_, *vault, {pass});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(reason(std::string(kNew) + "k-lost lost"), "") << "the other old key is not used any more";
  EXPECT_EQ(reason(kNew), "PERSONAL_DATA_KEY_MISSING");

  Put("p", "gone", vault->Seal("made anew", ContextOf("p", "gone")));
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(reason(kNew), "PERSONAL_DATA_KEY_MISSING") << "twice";
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(reason(kNew), "");
}

// Takes away no mark as long as it is told to.
class MarkKeepingStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (keep && batch.partition == "vault") return absl::UnavailableError("down");
    return ForwardingStore::Commit(std::move(batch));
  }
  bool keep = false;
};

TEST_F(UnusedKeyTest, AMarkThatCouldNotBeTakenAwayIsTakenAwayLater) {
  ASSERT_TRUE(MarkKey(*store_, *rotated_).ok());
  MarkKeepingStore store(*store_);
  Resealer resealer(store, *rotated_, {Pass()});
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(resealer.Run().ok());
  store.keep = true;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING");
  store.keep = false;
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "");
  // Once it is, nothing is left to be done about it.
  store.keep = true;
  EXPECT_TRUE(resealer.Run().ok());
}

TEST_F(UnusedKeyTest, AKeyStaysInUseWhenAPassFailsAndTheOthersRunAllTheSame) {
  bool broken = true;
  const auto failing = [&]() -> absl::StatusOr<Resealed> {
    if (broken) return absl::UnavailableError("down");
    return Resealed();
  };
  Resealer resealer(*store_, *rotated_, {failing, Pass()});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(resealer.Run().ok());
  EXPECT_EQ(*after_->Unseal(Value("p", "a"), ContextOf("p", "a")), "data");
  EXPECT_EQ(ReasonWithoutTheOldKey(), "PERSONAL_DATA_KEY_MISSING");
  broken = false;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ReasonWithoutTheOldKey(), "");
  resealer.Start();
  resealer.Stop();
  resealer.Stop();
}

}  // namespace
}  // namespace peiling::vault
