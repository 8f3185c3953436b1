// Access whole, as a gateway calls it.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "services/access/access_module.h"
#include "services/common/identity/identity.h"
#include "services/common/identity/key_secret.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"
#include "tests/contract/redis_server.h"

namespace peiling::access {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// A replica and its stub.
class Replica {
 public:
  explicit Replica(const Options& options) {
    auto module = MakeModule(options);
    if (!module.ok()) {
      status_ = module.status();
      return;
    }
    server::Options server_options;
    server_options.listen = "";
    server_options.drain_seconds = 1;
    auto server = server::Server::Start(server_options, *std::move(module));
    status_ = server.status();
    if (!server.ok()) return;
    server_ = *std::move(server);
    stub_ = v1::AccessService::NewStub(server_->InProcessChannel());
  }

  const absl::Status& status() const { return status_; }
  v1::AccessService::Stub& stub() { return *stub_; }
  void Shutdown() { server_->Shutdown(); }

  // A call by `caller`, as a gateway hands it on; empty: on the own account of a process.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::AccessService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, const std::string& caller = "keys/admin") {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!caller.empty()) {
      v1::Identity identity;
      identity.set_subject(caller);
      identity.add_grants()->set_role(v1::ROLE_ADMINISTRATOR);
      context.AddMetadata(identity::kIdentityKey, identity.SerializeAsString());
    }
    Response response;
    const grpc::Status status = (*stub_.*method)(&context, request, &response);
    if (!status.ok()) return status::FromGrpc(status);
    return response;
  }

 private:
  absl::Status status_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<v1::AccessService::Stub> stub_;
};

using Stub = v1::AccessService::Stub;

v1::CreateKeyRequest CreateRequest(const std::string& title) {
  v1::CreateKeyRequest request;
  request.mutable_key()->set_title(title);
  request.mutable_key()->add_grants()->set_role(v1::ROLE_ANALYST);
  request.set_request_id("create " + title);
  return request;
}

v1::RecordAuditEntriesRequest EntryRequest(const std::string& id) {
  v1::RecordAuditEntriesRequest request;
  v1::AuditEntry& entry = *request.add_entries();
  entry.set_name("audit-entries/" + id);
  *entry.mutable_time() = TimeUtil::SecondsToTimestamp(1'800'000'000);
  entry.set_count(1);
  return request;
}

std::vector<std::string> WrongFields(const absl::Status& status) {
  EXPECT_EQ(status::Reason(status), "INVALID_REQUEST") << status;
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
  return fields;
}

class AccessServiceTest : public testing::Test {
 protected:
  AccessServiceTest() {
    std::string pattern = testing::TempDir() + "/access_service.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    options_.store = absl::StrCat("sqlite:", folder_, "/access.db");
    options_.administrator_key_file = folder_ + "/administrator.key";
  }
  ~AccessServiceTest() override {
    access_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    access_ = std::make_unique<Replica>(options_);
    ASSERT_TRUE(access_->status().ok()) << access_->status();
  }

  std::vector<v1::Key> Keys() {
    const auto listed = access_->Call(&Stub::ListKeys, v1::ListKeysRequest());
    EXPECT_TRUE(listed.ok()) << listed.status();
    return {listed->keys().begin(), listed->keys().end()};
  }

  std::string folder_;
  Options options_;
  std::unique_ptr<Replica> access_;
};

TEST_F(AccessServiceTest, TellsTheCallerWhoItIs) {
  Start();
  const auto caller = access_->Call(&Stub::GetCaller, v1::GetCallerRequest(), "certificates/vng");
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->identity().subject(), "certificates/vng");
  EXPECT_EQ(caller->identity().grants(0).role(), v1::ROLE_ADMINISTRATOR);
}

TEST_F(AccessServiceTest, DoesNothingOnNobodysAccountButWhatGatewaysNeed) {
  Start();
  v1::GetKeyRequest get;
  get.set_name(Keys()[0].name());
  v1::RevokeKeyRequest revoke;
  revoke.set_name(get.name());
  revoke.set_request_id("revoke");
  for (const absl::Status& refused :
       {access_->Call(&Stub::GetCaller, v1::GetCallerRequest(), "").status(),
        access_->Call(&Stub::CreateKey, CreateRequest("mine"), "").status(), access_->Call(&Stub::GetKey, get, "").status(),
        access_->Call(&Stub::ListKeys, v1::ListKeysRequest(), "").status(), access_->Call(&Stub::RevokeKey, revoke, "").status(),
        access_->Call(&Stub::ListAuditEntries, v1::ListAuditEntriesRequest(), "").status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated) << refused;
    EXPECT_EQ(status::Reason(refused), "CALLER_UNKNOWN");
  }
  ASSERT_THAT(Keys(), SizeIs(1));
  EXPECT_FALSE(Keys()[0].has_revoked_at());
  EXPECT_TRUE(access_->Call(&Stub::RecordAuditEntries, EntryRequest("a"), "").ok());
}

TEST_F(AccessServiceTest, RecordsWhoMadeAndWhoRevokedAKey) {
  Start();
  const auto made = access_->Call(&Stub::CreateKey, CreateRequest("dashboard"), "keys/one");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->key().created_by(), "keys/one");
  v1::RevokeKeyRequest request;
  request.set_name(made->key().name());
  request.set_request_id("revoke");
  const auto revoked = access_->Call(&Stub::RevokeKey, request, "keys/two");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->key().revoked_by(), "keys/two");
  v1::GetKeyRequest get;
  get.set_name(made->key().name());
  EXPECT_TRUE(MessageDifferencer::Equals(access_->Call(&Stub::GetKey, get)->key(), revoked->key()));
}

TEST_F(AccessServiceTest, KeepsAllForTheNextRun) {
  Start();
  const auto made = access_->Call(&Stub::CreateKey, CreateRequest("dashboard"));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(access_->Call(&Stub::RecordAuditEntries, EntryRequest("a")).ok());
  const std::vector<v1::Key> before = Keys();
  access_.reset();
  Start();
  const std::vector<v1::Key> after = Keys();
  ASSERT_THAT(after, SizeIs(before.size()));
  for (size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(MessageDifferencer::Equals(before[i], after[i]));
  EXPECT_EQ(access_->Call(&Stub::CreateKey, CreateRequest("dashboard"))->key().name(), made->key().name());
  EXPECT_EQ(access_->Call(&Stub::ListAuditEntries, v1::ListAuditEntriesRequest())->entries_size(), 1);
}

TEST_F(AccessServiceTest, TheFirstAdministratorsKeyIsInItsFile) {
  Start();
  std::string secret;
  std::ifstream(options_.administrator_key_file) >> secret;
  ASSERT_THAT(Keys(), SizeIs(1));
  EXPECT_EQ(Keys()[0].name(), "keys/" + identity::ParseKeyId(secret).value_or(""));
  access_.reset();
  Start();
  EXPECT_THAT(Keys(), SizeIs(1));
}

TEST_F(AccessServiceTest, DoesNotStartOnAFileThatHoldsNoKey) {
  std::ofstream(options_.administrator_key_file) << "hunter2\n";
  const Replica replica(options_);
  EXPECT_EQ(status::Reason(replica.status()), "ADMINISTRATOR_KEY_UNUSABLE");
  EXPECT_THAT(std::string(replica.status().message()), Not(HasSubstr("hunter2")));
}

TEST_F(AccessServiceTest, WithoutAFileThereAreNoKeys) {
  options_.administrator_key_file.clear();
  Start();
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(AccessServiceTest, WatchesReplayFollowAndGoOn) {
  Start();
  grpc::ClientContext context;
  auto watch = access_->stub().WatchKeys(&context, v1::WatchKeysRequest());
  v1::WatchKeysResponse event;
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_EQ(event.key().key().title(), "first administrator");
  EXPECT_EQ(event.key().sequence(), 1u);
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_EQ(event.caught_up().sequence(), 1u);

  const auto made = access_->Call(&Stub::CreateKey, CreateRequest("dashboard"));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_TRUE(MessageDifferencer::Equals(event.key().key(), made->key()));
  EXPECT_TRUE(identity::Matches(made->secret(), event.key().hash()));
  EXPECT_EQ(event.key().sequence(), 2u);
  context.TryCancel();
  watch->Finish();

  grpc::ClientContext later;
  v1::WatchKeysRequest request;
  request.set_after_sequence(1);
  watch = access_->stub().WatchKeys(&later, request);
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_EQ(event.key().sequence(), 2u);
  access_->Shutdown();
  while (watch->Read(&event)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(AccessServiceTest, AWatchBeyondTheFeedIsRefused) {
  Start();
  grpc::ClientContext context;
  v1::WatchKeysRequest request;
  request.set_after_sequence(100);
  const auto watch = access_->stub().WatchKeys(&context, request);
  v1::WatchKeysResponse event;
  EXPECT_FALSE(watch->Read(&event));
  EXPECT_EQ(status::Reason(status::FromGrpc(watch->Finish())), "SEQUENCE_IN_FUTURE");
}

TEST_F(AccessServiceTest, NamesEveryWrongFieldOfANewKey) {
  Start();
  EXPECT_THAT(WrongFields(access_->Call(&Stub::CreateKey, v1::CreateKeyRequest()).status()),
              ElementsAre("key.title", "key.grants", "request_id"));

  v1::CreateKeyRequest request = CreateRequest(std::string(201, 'x'));
  request.set_request_id(std::string(101, 'x'));
  v1::Key& key = *request.mutable_key();
  key.add_grants()->add_resources("municipalities/GM0363");
  key.mutable_expires_at()->set_seconds(-1);
  key.set_name("keys/mine");
  key.mutable_created_at();
  key.set_created_by("me");
  key.mutable_revoked_at();
  key.set_revoked_by("me");
  key.set_etag("v1");
  EXPECT_THAT(WrongFields(access_->Call(&Stub::CreateKey, request).status()),
              ElementsAre("key.title", "key.grants[1].role", "key.grants[1].resources[0]", "key.expires_at", "key.name", "key.created_at",
                          "key.created_by", "key.revoked_at", "key.revoked_by", "key.etag", "request_id"));
  EXPECT_THAT(Keys(), SizeIs(1)) << "the administrator's alone";
}

TEST_F(AccessServiceTest, ATitleIsCountedInCharacters) {
  Start();
  std::string title;
  for (int i = 0; i < 200; ++i) title += "ë";
  v1::CreateKeyRequest request = CreateRequest(title);
  request.set_request_id("r");
  EXPECT_TRUE(access_->Call(&Stub::CreateKey, request).ok());
}

TEST_F(AccessServiceTest, NamesEveryWrongFieldOfOtherRequests) {
  Start();
  v1::GetKeyRequest get;
  get.set_name("keys/a/b");
  EXPECT_THAT(WrongFields(access_->Call(&Stub::GetKey, get).status()), ElementsAre("name"));
  EXPECT_THAT(WrongFields(access_->Call(&Stub::RevokeKey, v1::RevokeKeyRequest()).status()), ElementsAre("name", "request_id"));
  v1::ListKeysRequest list;
  list.set_page_size(-1);
  list.set_page_token("x");
  EXPECT_THAT(WrongFields(access_->Call(&Stub::ListKeys, list).status()), ElementsAre("page_size", "page_token"));
  v1::ListAuditEntriesRequest entries;
  entries.mutable_since()->set_seconds(-1);
  entries.mutable_until()->set_nanos(-1);
  entries.set_page_size(-1);
  EXPECT_THAT(WrongFields(access_->Call(&Stub::ListAuditEntries, entries).status()), ElementsAre("since", "until", "page_size"));
}

TEST_F(AccessServiceTest, NamesEveryWrongFieldOfAuditEntriesAndKeepsNone) {
  Start();
  EXPECT_THAT(WrongFields(access_->Call(&Stub::RecordAuditEntries, v1::RecordAuditEntriesRequest()).status()), ElementsAre("entries"));
  v1::RecordAuditEntriesRequest request = EntryRequest("good");
  request.add_entries()->mutable_time()->set_seconds(-1);
  EXPECT_THAT(WrongFields(access_->Call(&Stub::RecordAuditEntries, request).status()),
              ElementsAre("entries[1].name", "entries[1].time", "entries[1].count"));
  request.clear_entries();
  for (int i = 0; i < 1001; ++i) *request.add_entries() = EntryRequest(std::to_string(i)).entries(0);
  EXPECT_THAT(WrongFields(access_->Call(&Stub::RecordAuditEntries, request).status()), ElementsAre("entries"));
  EXPECT_EQ(access_->Call(&Stub::ListAuditEntries, v1::ListAuditEntriesRequest())->entries_size(), 0);
}

// Replicas over one Redis.
class AccessReplicasTest : public AccessServiceTest {
 protected:
  AccessReplicasTest() { options_.store = absl::StrCat("redis://", redis_.endpoint()); }

  storage::RedisServer redis_;
};

TEST_F(AccessReplicasTest, AWatchAtOneSeesWhatTheOtherDoes) {
  Start();
  Replica other(options_);
  ASSERT_TRUE(other.status().ok()) << other.status();
  EXPECT_THAT(Keys(), SizeIs(1)) << "both have the same administrator";
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::WatchKeysRequest request;
  request.set_after_sequence(1);
  const auto watch = access_->stub().WatchKeys(&context, request);
  const auto made = other.Call(&Stub::CreateKey, CreateRequest("dashboard"));
  ASSERT_TRUE(made.ok()) << made.status();
  v1::WatchKeysResponse event;
  while (watch->Read(&event) && !event.has_key()) {
  }
  EXPECT_TRUE(MessageDifferencer::Equals(event.key().key(), made->key()));
  const auto repeated = access_->Call(&Stub::CreateKey, CreateRequest("dashboard"));
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(repeated->key().name(), made->key().name());
  EXPECT_EQ(repeated->secret(), "");
  context.TryCancel();
}

TEST_F(AccessReplicasTest, WhatWasAnsweredOutlivesTheStoresDeath) {
  Start();
  const auto made = access_->Call(&Stub::CreateKey, CreateRequest("dashboard"));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(access_->Call(&Stub::RecordAuditEntries, EntryRequest("a")).ok());
  redis_.Kill();
  EXPECT_EQ(access_->Call(&Stub::RecordAuditEntries, EntryRequest("b")).status().code(), absl::StatusCode::kUnavailable);
  redis_.Start();
  v1::GetKeyRequest get;
  get.set_name(made->key().name());
  EXPECT_TRUE(Eventually([&] { return access_->Call(&Stub::GetKey, get).ok(); }));
  ASSERT_TRUE(access_->Call(&Stub::RecordAuditEntries, EntryRequest("b")).ok());
  EXPECT_EQ(access_->Call(&Stub::ListAuditEntries, v1::ListAuditEntriesRequest())->entries_size(), 2);
}

}  // namespace
}  // namespace peiling::access
