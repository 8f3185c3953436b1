#include "services/common/vault/resealer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
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
  const SealedDocuments documents{.partitions = "surveys/", .keys = "personal/"};
  EXPECT_EQ(*Reseal(*store_, *rotated_, documents), 251);
  EXPECT_EQ(*Reseal(*store_, *rotated_, documents), 0);
  for (int i = 0; i < 250; ++i) {
    const std::string key = "personal/" + std::to_string(i);
    EXPECT_EQ(*after_->Unseal(Value("surveys/s/waves/w", key), ContextOf("surveys/s/waves/w", key)), "data " + std::to_string(i));
  }
  EXPECT_EQ(*after_->Unseal(Value("surveys/s/waves/w#1", "personal/plain"), ContextOf("surveys/s/waves/w#1", "personal/plain")),
            "\x0a\x03old");
  EXPECT_EQ(Value("surveys/s/waves/w", "response/1"), "not sealed");
  EXPECT_EQ(Value("elsewhere", "personal/1"), "not sealed");
}

TEST_F(ResealerTest, SaysWhichKeyIsMissing) {
  Put("p", "a", before_->Seal("data", ContextOf("p", "a")));
  EXPECT_EQ(status::Reason(Reseal(*store_, *after_, {}).status()), "PERSONAL_DATA_KEY_MISSING");
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
  EXPECT_EQ(*Reseal(erasing, *rotated_, {}), 0);
  EXPECT_FALSE((*store_->Get("p", "a")).has_value());
}

TEST_F(ResealerTest, RunsAllPassesUpToAnError) {
  std::string ran;
  bool broken = true;
  Resealer resealer(*rotated_, {[&] {
                                  ran += "a";
                                  return broken ? absl::UnavailableError("down") : absl::OkStatus();
                                },
                                [&] {
                                  ran += "b";
                                  return absl::OkStatus();
                                }});
  EXPECT_FALSE(resealer.Run().ok());
  EXPECT_EQ(ran, "a");
  broken = false;
  EXPECT_TRUE(resealer.Run().ok());
  EXPECT_EQ(ran, "aab");
  resealer.Start();
  resealer.Stop();
  resealer.Stop();
}

}  // namespace
}  // namespace peiling::vault
