#include "services/access/key_store.h"

#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "services/access/validate.h"
#include "services/common/identity/key_secret.h"
#include "services/common/status/errors.h"
#include "tests/access/stores.h"

namespace peiling::access {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kCaller[] = "certificates/vng";

v1::CreateKeyRequest CreateRequest(const std::string& title, const std::string& request_id) {
  v1::CreateKeyRequest request;
  request.mutable_key()->set_title(title);
  v1::Grant& grant = *request.mutable_key()->add_grants();
  grant.set_role(v1::ROLE_RESEARCHER);
  grant.add_resources("surveys/s");
  request.set_request_id(request_id);
  return request;
}

v1::RevokeKeyRequest RevokeRequest(const std::string& name, const std::string& request_id, const std::string& etag = "") {
  v1::RevokeKeyRequest request;
  request.set_name(name);
  request.set_request_id(request_id);
  request.set_etag(etag);
  return request;
}

class KeyStoreTest : public testing::TestWithParam<StoreKind> {
 protected:
  KeyStore MakeKeys(uint64_t most_live_keys = KeyStore::kMostLiveKeys) {
    return KeyStore(
        troubled_, [this] { return now_; }, most_live_keys);
  }
  v1::CreateKeyResponse Create(const std::string& title, const std::string& request_id) {
    auto created = keys_.Create(CreateRequest(title, request_id), kCaller);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? *created : v1::CreateKeyResponse();
  }
  std::vector<v1::KeyEvent> Events() {
    std::vector<v1::KeyEvent> events;
    const auto feed = store_->ReadFeed(KeyStore::kPartition, 0, 1000);
    EXPECT_TRUE(feed.ok()) << feed.status();
    for (const auto& event : *feed) EXPECT_TRUE(events.emplace_back().ParseFromString(event.value));
    return events;
  }
  std::vector<std::string> Titles(const v1::ListKeysRequest& request = {}) {
    paging::Page page;
    EXPECT_TRUE(Validate(request, page).ok());
    const auto listed = keys_.List(request, page);
    EXPECT_TRUE(listed.ok()) << listed.status();
    next_page_token_ = listed->next_page_token();
    std::vector<std::string> titles;
    for (const v1::Key& key : listed->keys()) titles.push_back(key.title());
    return titles;
  }

  Timestamp now_ = TimeUtil::SecondsToTimestamp(1'800'000'000);
  Stores stores_{GetParam()};
  std::unique_ptr<storage::Store> store_ = stores_.Open();
  TroubledStore troubled_{*store_};
  KeyStore keys_ = MakeKeys();
  std::string next_page_token_;
};

TEST_P(KeyStoreTest, AKeyIsMadeFoundAndTold) {
  const v1::CreateKeyResponse made = Create("dashboard", "r1");
  EXPECT_EQ(made.key().name(), "keys/" + identity::ParseKeyId(made.secret()).value());
  EXPECT_EQ(made.key().title(), "dashboard");
  EXPECT_EQ(made.key().grants(0).resources(0), "surveys/s");
  EXPECT_EQ(made.key().created_by(), kCaller);
  EXPECT_EQ(made.key().created_at().seconds(), now_.seconds());
  EXPECT_FALSE(made.key().has_expires_at());
  EXPECT_FALSE(made.key().has_revoked_at());
  EXPECT_THAT(made.key().etag(), Not(IsEmpty()));

  const auto found = keys_.Get(made.key().name());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*found, made.key()));
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_TRUE(MessageDifferencer::Equals(Events()[0].key(), made.key()));
  EXPECT_TRUE(identity::Matches(made.secret(), Events()[0].hash()));
}

TEST_P(KeyStoreTest, ARepeatGetsTheSameKeyWithoutItsSecret) {
  const v1::CreateKeyResponse made = Create("dashboard", "r1");
  now_.set_seconds(now_.seconds() + 60);
  const v1::CreateKeyResponse repeated = Create("dashboard", "r1");
  EXPECT_TRUE(MessageDifferencer::Equals(repeated.key(), made.key()));
  EXPECT_EQ(repeated.secret(), "");
  EXPECT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(status::Reason(keys_.Create(CreateRequest("another", "r1"), kCaller).status()), "REQUEST_ID_REUSED");
}

// What happens when the process dies between commit and answer: the caller asks again.
TEST_P(KeyStoreTest, ALostAnswerLeavesOneKey) {
  troubled_.lose_answer = true;
  EXPECT_EQ(keys_.Create(CreateRequest("dashboard", "r1"), kCaller).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Create("dashboard", "r1").secret(), "");
  EXPECT_THAT(Titles(), ElementsAre("dashboard"));
}

TEST_P(KeyStoreTest, TheSecretIsNowhereInTheStore) {
  const v1::CreateKeyResponse made = Create("dashboard", "r1");
  const std::string random = made.secret().substr(made.secret().size() - 43);
  const auto documents = store_->Save(KeyStore::kPartition, "", 1000);
  ASSERT_TRUE(documents.ok());
  EXPECT_THAT(*documents, Not(IsEmpty()));
  for (const auto& document : *documents) EXPECT_THAT(document.value.value_or(""), Not(HasSubstr(random))) << document.key;
  const auto feed = store_->ReadFeed(KeyStore::kPartition, 0, 1000);
  for (const auto& event : *feed) EXPECT_THAT(event.value, Not(HasSubstr(random)));
}

TEST_P(KeyStoreTest, WhoLosesARaceComesNext) {
  troubled_.before_commit = [&] { Create("first", "r1"); };
  Create("second", "r2");
  EXPECT_THAT(Titles(), ElementsAre("first", "second"));
  EXPECT_THAT(Events(), SizeIs(2));
}

TEST_P(KeyStoreTest, TheSameRequestTwiceAtOnceMakesOneKey) {
  troubled_.before_commit = [&] { Create("dashboard", "r1"); };
  EXPECT_EQ(Create("dashboard", "r1").secret(), "") << "the other has it";
  EXPECT_THAT(Titles(), ElementsAre("dashboard"));
}

TEST_P(KeyStoreTest, ManyAtOnceAllGetTheirKey) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      KeyStore keys(*store_, [this] { return now_; });
      for (int k = 0; k < 5; ++k) {
        const auto made = keys.Create(CreateRequest(absl::StrCat(i, " ", k), absl::StrCat("r", i, "-", k)), kCaller);
        EXPECT_TRUE(made.ok()) << made.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> titles = Titles();
  EXPECT_THAT(titles, SizeIs(20));
  EXPECT_THAT(std::set<std::string>(titles.begin(), titles.end()), SizeIs(20));
}

TEST_P(KeyStoreTest, ListsInTheOrderOfMakingPageByPage) {
  for (const char* title : {"c", "a", "b"}) Create(title, title);
  v1::ListKeysRequest request;
  request.set_page_size(2);
  EXPECT_THAT(Titles(request), ElementsAre("c", "a"));
  request.set_page_token(next_page_token_);
  EXPECT_THAT(Titles(request), ElementsAre("b"));
  EXPECT_EQ(next_page_token_, "");
}

TEST_P(KeyStoreTest, APageOfLargeKeysEndsEarly) {
  v1::CreateKeyRequest large = CreateRequest("large", "");
  for (int i = 0; i < 37; ++i)
    large.mutable_key()->mutable_grants(0)->add_resources(absl::StrCat("surveys/", std::string(98, 'a' + i % 26)));
  // Through the feed's own door, because hashing this many would take a minute.
  storage::Batch batch{.partition = KeyStore::kPartition};
  v1::KeyEvent event;
  *event.mutable_key() = large.key();
  constexpr int kKeys = 700;
  for (int i = 1; i <= kKeys; ++i) {
    batch.writes.push_back({.key = absl::StrCat("key/", absl::Dec(i, absl::kZeroPad10)), .value = event.SerializeAsString()});
  }
  ASSERT_TRUE(store_->Commit(std::move(batch)).ok());
  v1::ListKeysRequest request;
  request.set_page_size(1000);
  size_t seen = 0;
  int pages = 0;
  do {
    paging::Page page;
    ASSERT_TRUE(Validate(request, page).ok());
    const auto listed = keys_.List(request, page);
    ASSERT_TRUE(listed.ok()) << listed.status();
    EXPECT_LT(listed->ByteSizeLong(), 3u << 20);
    seen += listed->keys_size();
    ++pages;
    request.set_page_token(listed->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, size_t{kKeys});
  EXPECT_GT(pages, 1);
}

TEST_P(KeyStoreTest, ARevokedKeyStaysAndIsTold) {
  const v1::Key made = Create("dashboard", "r1").key();
  now_.set_seconds(now_.seconds() + 60);
  const auto revoked = keys_.Revoke(RevokeRequest(made.name(), "r2", made.etag()), "keys/other");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->key().revoked_at().seconds(), now_.seconds());
  EXPECT_EQ(revoked->key().revoked_by(), "keys/other");
  EXPECT_EQ(revoked->key().created_by(), kCaller);
  EXPECT_NE(revoked->key().etag(), made.etag());
  EXPECT_TRUE(MessageDifferencer::Equals(*keys_.Get(made.name()), revoked->key()));
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_TRUE(MessageDifferencer::Equals(Events()[1].key(), revoked->key()));
  EXPECT_TRUE(MessageDifferencer::Equals(Events()[1].hash(), Events()[0].hash()));
  EXPECT_THAT(Titles(), ElementsAre("dashboard"));
}

TEST_P(KeyStoreTest, RevokingTwiceChangesNothing) {
  const v1::Key made = Create("dashboard", "r1").key();
  const auto revoked = keys_.Revoke(RevokeRequest(made.name(), "r2", made.etag()), kCaller);
  ASSERT_TRUE(revoked.ok());
  now_.set_seconds(now_.seconds() + 60);
  for (const auto& again : {RevokeRequest(made.name(), "r2", made.etag()), RevokeRequest(made.name(), "r3")}) {
    const auto repeated = keys_.Revoke(again, "keys/other");
    ASSERT_TRUE(repeated.ok()) << repeated.status();
    EXPECT_TRUE(MessageDifferencer::Equals(repeated->key(), revoked->key()));
  }
  EXPECT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(status::Reason(keys_.Revoke(RevokeRequest(made.name(), "r4", made.etag()), kCaller).status()), "ETAG_MISMATCH");
}

TEST_P(KeyStoreTest, OfTwoThatRevokeAtOnceOneDoes) {
  const v1::Key made = Create("dashboard", "r1").key();
  troubled_.before_commit = [&] { ASSERT_TRUE(keys_.Revoke(RevokeRequest(made.name(), "r2"), "keys/first").ok()); };
  const auto revoked = keys_.Revoke(RevokeRequest(made.name(), "r3"), "keys/second");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->key().revoked_by(), "keys/first");
  EXPECT_THAT(Events(), SizeIs(2));
}

TEST_P(KeyStoreTest, SaysThatThereIsNoSuchKey) {
  EXPECT_EQ(status::Reason(keys_.Get("keys/0123456789abcdef").status()), "KEY_NOT_FOUND");
  EXPECT_EQ(status::Reason(keys_.Revoke(RevokeRequest("keys/0123456789abcdef", "r"), kCaller).status()), "KEY_NOT_FOUND");
}

TEST_P(KeyStoreTest, TakesNoKeyThatHasExpiredAlready) {
  v1::CreateKeyRequest request = CreateRequest("late", "r1");
  *request.mutable_key()->mutable_expires_at() = now_;
  const absl::Status refused = keys_.Create(request, kCaller).status();
  ASSERT_THAT(status::FieldViolations(refused), SizeIs(1));
  EXPECT_EQ(status::FieldViolations(refused)[0].first, "key.expires_at");
  request.mutable_key()->mutable_expires_at()->set_seconds(now_.seconds() + 1);
  const auto made = keys_.Create(request, kCaller);
  ASSERT_TRUE(made.ok()) << made.status();
  now_.set_seconds(now_.seconds() + 60);
  EXPECT_TRUE(keys_.Create(request, kCaller).ok()) << "a repeat is answered as before, however late";
}

TEST_P(KeyStoreTest, BoundsKeysThatLive) {
  KeyStore keys = MakeKeys(/*most_live_keys=*/2);
  v1::CreateKeyRequest passing = CreateRequest("passing", "r1");
  passing.mutable_key()->mutable_expires_at()->set_seconds(now_.seconds() + 30);
  ASSERT_TRUE(keys.Create(passing, kCaller).ok());
  const auto standing = keys.Create(CreateRequest("standing", "r2"), kCaller);
  ASSERT_TRUE(standing.ok());
  EXPECT_EQ(status::Reason(keys.Create(CreateRequest("third", "r3"), kCaller).status()), "TOO_MANY_KEYS");
  EXPECT_TRUE(keys.Create(passing, kCaller).ok()) << "a repeat makes none";
  now_.set_seconds(now_.seconds() + 30);
  EXPECT_TRUE(keys.Create(CreateRequest("third", "r3"), kCaller).ok()) << "one has expired";
  EXPECT_EQ(status::Reason(keys.Create(CreateRequest("fourth", "r4"), kCaller).status()), "TOO_MANY_KEYS");
  ASSERT_TRUE(keys.Revoke(RevokeRequest(standing->key().name(), "r5"), kCaller).ok());
  EXPECT_TRUE(keys.Create(CreateRequest("fourth", "r4"), kCaller).ok()) << "one was revoked";
}

TEST_P(KeyStoreTest, TheBoundHoldsForWhoLosesARace) {
  KeyStore keys = MakeKeys(/*most_live_keys=*/1);
  troubled_.before_commit = [&] { Create("first", "r1"); };
  EXPECT_EQ(status::Reason(keys.Create(CreateRequest("second", "r2"), kCaller).status()), "TOO_MANY_KEYS");
}

TEST_P(KeyStoreTest, TheFirstAdministratorIsThereOnce) {
  const std::string secret = identity::NewSecret("0123456789abcdef");
  ASSERT_TRUE(keys_.EnsureAdministrator(secret).ok());
  ASSERT_TRUE(keys_.EnsureAdministrator(secret).ok());
  ASSERT_THAT(Events(), SizeIs(1));
  const auto key = keys_.Get("keys/0123456789abcdef");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->title(), "first administrator");
  ASSERT_EQ(key->grants_size(), 1);
  EXPECT_EQ(key->grants(0).role(), v1::ROLE_ADMINISTRATOR);
  EXPECT_THAT(key->grants(0).resources(), IsEmpty());
  EXPECT_TRUE(identity::Matches(secret, Events()[0].hash()));
}

TEST_P(KeyStoreTest, OfTwoReplicasThatStartAtOnceOneMakesTheAdministrator) {
  const std::string secret = identity::NewSecret("0123456789abcdef");
  troubled_.before_commit = [&] { ASSERT_TRUE(keys_.EnsureAdministrator(secret).ok()); };
  EXPECT_TRUE(keys_.EnsureAdministrator(secret).ok());
  EXPECT_THAT(Events(), SizeIs(1));
}

TEST_P(KeyStoreTest, ARevokedAdministratorStaysRevoked) {
  const std::string secret = identity::NewSecret("0123456789abcdef");
  ASSERT_TRUE(keys_.EnsureAdministrator(secret).ok());
  ASSERT_TRUE(keys_.Revoke(RevokeRequest("keys/0123456789abcdef", "r1"), kCaller).ok());
  EXPECT_TRUE(keys_.EnsureAdministrator(secret).ok());
  EXPECT_TRUE(keys_.Get("keys/0123456789abcdef")->has_revoked_at());
  EXPECT_THAT(Events(), SizeIs(2));
}

TEST_P(KeyStoreTest, AnotherSecretForAKnownKeyIsRefused) {
  ASSERT_TRUE(keys_.EnsureAdministrator(identity::NewSecret("0123456789abcdef")).ok());
  for (const std::string& secret : {identity::NewSecret("0123456789abcdef"), std::string("password")}) {
    const absl::Status refused = keys_.EnsureAdministrator(secret);
    EXPECT_EQ(status::Reason(refused), "ADMINISTRATOR_KEY_UNUSABLE");
    EXPECT_THAT(std::string(refused.message()), Not(HasSubstr(secret)));
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, KeyStoreTest, testing::Values(StoreKind::kSqlite, StoreKind::kRedis), NameOf);

// Replicas: other store objects over the same data.
TEST(KeyStoreReplicasTest, SeeWhatTheOthersDid) {
  const Stores stores(StoreKind::kRedis);
  const auto one = stores.Open();
  const auto other = stores.Open();
  KeyStore keys_of_one(*one, TimeUtil::GetCurrentTime);
  KeyStore keys_of_other(*other, TimeUtil::GetCurrentTime);
  const auto made = keys_of_one.Create(CreateRequest("dashboard", "r1"), kCaller);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto repeated = keys_of_other.Create(CreateRequest("dashboard", "r1"), kCaller);
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_TRUE(MessageDifferencer::Equals(repeated->key(), made->key()));
  ASSERT_TRUE(keys_of_other.Revoke(RevokeRequest(made->key().name(), "r2"), kCaller).ok());
  EXPECT_TRUE(keys_of_one.Get(made->key().name())->has_revoked_at());
}

}  // namespace
}  // namespace peiling::access
