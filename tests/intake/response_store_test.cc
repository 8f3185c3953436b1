#include "services/intake/response_store.h"

#include <map>
#include <thread>

#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ResponseStoreTest : public ::testing::Test {
 protected:
  static std::string NameOf(const std::string& id) { return std::string(kWaveName) + "/responses/" + id; }

  static v1::Response Response(const std::string& id) {
    v1::Response response;
    response.set_name(NameOf(id));
    response.set_state(v1::RESPONSE_STATE_SUBMITTED);
    AddText(response, "Q3", "Ede");
    return response;
  }
  absl::Status Put(v1::Response response, uint64_t expected_version = 0) {
    std::vector<ResponseChange> changes = {
        {.response = &response, .personal = survey::v1::Answers(), .expected_version = expected_version}};
    return responses_.Commit(kWaveName, 0, changes);
  }
  v1::WithdrawResponseRequest Withdrawal(const std::string& id, const std::string& request_id) {
    v1::WithdrawResponseRequest request;
    request.set_name(NameOf(id));
    request.set_request_id(request_id);
    request.set_reason("op verzoek");
    return request;
  }
  v1::Wave Tally() {
    v1::Wave wave;
    wave.set_name(kWaveName);
    wave.set_partitions(1);
    return *responses_.WithTally(wave);
  }
  std::vector<std::string> ListIds(v1::ListResponsesRequest request, int size) {
    std::vector<std::string> ids;
    request.set_parent(kWaveName);
    for (int pages = 0; pages < 100; ++pages) {
      status::BadRequest bad;
      request.set_page_size(size);
      auto page = responses_.List(request, 1, paging::ReadPage(request, bad));
      EXPECT_TRUE(page.ok() && bad.empty());
      for (const auto& response : page->responses()) ids.push_back(response.name().substr(NameOf("").size()));
      if (page->next_page_token().empty()) return ids;
      request.set_page_token(page->next_page_token());
    }
    ADD_FAILURE() << "no last page";
    return ids;
  }

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  const std::unique_ptr<vault::Vault> vault_ = TestVault();
  ResponseStore responses_{*store_, *vault_};
};

TEST_F(ResponseStoreTest, KeepsAResponseAndItsEvent) {
  v1::Response response = Response("1");
  response.add_issues()->set_question("Q3");
  survey::v1::Answers personal;
  personal.add_answers()->set_question("Q1");
  personal.mutable_answers(0)->set_text("Jansen");
  std::vector<ResponseChange> changes = {{.response = &response, .personal = personal}};
  ASSERT_TRUE(responses_.Commit(kWaveName, 0, changes).ok());
  EXPECT_EQ(response.sequence(), 1u);

  const auto stored = responses_.Get(NameOf("1"), 1);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->response.DebugString(), response.DebugString()) << "with etag, sequence and issues";
  EXPECT_EQ(stored->personal.DebugString(), personal.DebugString());

  v1::SubmissionEvent event;
  ASSERT_TRUE(event.ParseFromString(store_->ReadFeed(kWaveName, 0, 10)->at(0).value));
  EXPECT_EQ(event.sequence(), 0u) << "the feed itself says where an event stands";
  response.clear_sequence();
  response.clear_issues();
  response.clear_etag();
  EXPECT_EQ(event.response().DebugString(), response.DebugString());
}

TEST_F(ResponseStoreTest, CountsResponsesAndEvents) {
  EXPECT_EQ(Tally().last_sequence(), 0u);
  ASSERT_TRUE(Put(Response("1")).ok());
  ASSERT_TRUE(Put(Response("2")).ok());
  ASSERT_TRUE(Put(Response("1"), 1).ok());
  EXPECT_EQ(Tally().response_count(), 2);
  EXPECT_EQ(Tally().last_sequence(), 3u);
}

TEST_F(ResponseStoreTest, NeverOverwritesWhatItDidNotSee) {
  ASSERT_TRUE(Put(Response("1")).ok());
  EXPECT_EQ(status::Reason(Put(Response("1"))), "CONCURRENT_CHANGE");
  EXPECT_EQ(status::Reason(Put(Response("1"), 2)), "CONCURRENT_CHANGE");
  EXPECT_EQ(Tally().last_sequence(), 1u);
  EXPECT_TRUE(Put(Response("1"), 1).ok()) << "a refusal leaves it usable";
}

TEST_F(ResponseStoreTest, TwoProcessesOnOneWaveDoNotGetInEachOthersWay) {
  ResponseStore other(*store_, *vault_);
  const auto fill = [](ResponseStore& responses, const std::string& prefix) {
    for (int i = 0; i < 50; ++i) {
      v1::Response response = Response(prefix + std::to_string(i));
      std::vector<ResponseChange> changes = {{.response = &response, .personal = survey::v1::Answers()}};
      const absl::Status status = responses.Commit(kWaveName, 0, changes);
      ASSERT_TRUE(status.ok()) << status;
    }
  };
  std::thread one(fill, std::ref(responses_), "a"), two(fill, std::ref(other), "b");
  one.join();
  two.join();
  EXPECT_EQ(Tally().response_count(), 100);
  EXPECT_EQ(Tally().last_sequence(), 100u);
  std::map<std::string, uint64_t> events;
  for (const auto& stored : Must(store_->ReadFeed(kWaveName, 0, 1000))) {
    v1::SubmissionEvent event;
    ASSERT_TRUE(event.ParseFromString(stored.value));
    events[event.response().name()] = stored.sequence;
  }
  EXPECT_EQ(events.size(), 100u);
  for (const auto& [name, sequence] : events) EXPECT_EQ(responses_.Get(name, 1)->response.sequence(), sequence) << name;
}

TEST_F(ResponseStoreTest, AnUpdateCanTakePersonalAnswersAway) {
  v1::Response response = Response("1");
  survey::v1::Answers personal;
  personal.add_answers()->set_text("Jansen");
  std::vector<ResponseChange> changes = {{.response = &response, .personal = personal}};
  ASSERT_TRUE(responses_.Commit(kWaveName, 0, changes).ok());
  ASSERT_TRUE(Put(Response("1"), 1).ok());
  EXPECT_EQ(responses_.Get(NameOf("1"), 1)->personal.answers_size(), 0);
}

TEST_F(ResponseStoreTest, WithdrawalKeepsTheResponseAndTellsWhy) {
  v1::Response response = Response("1");
  survey::v1::Answers personal;
  personal.add_answers()->set_text("Jansen");
  std::vector<ResponseChange> changes = {{.response = &response, .personal = personal}};
  ASSERT_TRUE(responses_.Commit(kWaveName, 0, changes).ok());

  const auto withdrawn = responses_.Withdraw(Withdrawal("1", "w1"), 1);
  ASSERT_TRUE(withdrawn.ok()) << withdrawn.status();
  EXPECT_EQ(withdrawn->response().state(), v1::RESPONSE_STATE_WITHDRAWN);
  EXPECT_EQ(withdrawn->response().withdrawal_reason(), "op verzoek");
  EXPECT_EQ(withdrawn->position().submissions(), 2u);
  EXPECT_NE(withdrawn->response().etag(), response.etag());
  EXPECT_EQ(responses_.Get(NameOf("1"), 1)->response.DebugString(), withdrawn->response().DebugString());
  EXPECT_EQ(responses_.Get(NameOf("1"), 1)->personal.answers_size(), 1);
  EXPECT_EQ(Tally().response_count(), 1);

  EXPECT_EQ(responses_.Withdraw(Withdrawal("1", "w1"), 1)->DebugString(), withdrawn->DebugString()) << "a repeat gets the first answer";
  EXPECT_EQ(status::Reason(responses_.Withdraw(Withdrawal("1", "w2"), 1).status()), "ALREADY_WITHDRAWN");
  EXPECT_EQ(status::Reason(responses_.Withdraw(Withdrawal("2", "w1"), 1).status()), "REQUEST_ID_REUSED");
  EXPECT_EQ(status::Reason(responses_.Withdraw(Withdrawal("2", "w3"), 1).status()), "RESPONSE_NOT_FOUND");
}

TEST_F(ResponseStoreTest, WithdrawalMindsTheEtag) {
  ASSERT_TRUE(Put(Response("1")).ok());
  v1::WithdrawResponseRequest request = Withdrawal("1", "w1");
  request.set_etag("old");
  const auto status = responses_.Withdraw(request, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status::Reason(status), "ETAG_MISMATCH");
  request.set_etag(responses_.Get(NameOf("1"), 1)->response.etag());
  EXPECT_TRUE(responses_.Withdraw(request, 1).ok());
}

TEST_F(ResponseStoreTest, ListsByIdInPagesAndByState) {
  for (const char* id : {"c", "a", "e", "b", "d"}) ASSERT_TRUE(Put(Response(id)).ok());
  ASSERT_TRUE(responses_.Withdraw(Withdrawal("b", "1"), 1).ok());
  ASSERT_TRUE(responses_.Withdraw(Withdrawal("e", "2"), 1).ok());
  for (int size = 1; size <= 6; ++size) {
    EXPECT_THAT(ListIds({}, size), ElementsAre("a", "b", "c", "d", "e")) << size;
    v1::ListResponsesRequest withdrawn;
    withdrawn.set_state(v1::RESPONSE_STATE_WITHDRAWN);
    EXPECT_THAT(ListIds(withdrawn, size), ElementsAre("b", "e")) << size;
  }
}

TEST_F(ResponseStoreTest, PagesOfLargeResponsesFitInAMessage) {
  for (int i = 0; i < 12; ++i) {
    v1::Response large = Response(std::to_string(100 + i));
    large.mutable_answers()->add_answers()->set_text(std::string(500'000, 'x'));
    ASSERT_TRUE(Put(large).ok());
  }
  v1::ListResponsesRequest request;
  request.set_parent(kWaveName);
  request.set_page_size(1000);
  int listed = 0;
  do {
    status::BadRequest bad;
    const auto page = responses_.List(request, 1, paging::ReadPage(request, bad));
    ASSERT_TRUE(page.ok() && bad.empty()) << page.status();
    EXPECT_LT(page->ByteSizeLong(), size_t{4} << 20);
    listed += page->responses_size();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, 12);
}

TEST_F(ResponseStoreTest, TheSecretIsMadeOnceAndKept) {
  EXPECT_EQ(*responses_.Secret(kWaveName, /*create=*/false), "");
  const std::string secret = *responses_.Secret(kWaveName, /*create=*/true);
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_EQ(*ResponseStore(*store_, *vault_).Secret(kWaveName, /*create=*/true), secret);
  EXPECT_NE(*responses_.Secret("surveys/poll/waves/two", /*create=*/true), secret);
}

TEST_F(ResponseStoreTest, TheSecretIsMadeAnewOnlyWhenItsKeyIsLost) {
  const std::string secret = *responses_.Secret(kWaveName, /*create=*/true);
  const std::string key = vault::Vault::NewKey("new");
  const auto wanting = *vault::Vault::Make(key);
  EXPECT_EQ(status::Reason(ResponseStore(*store_, *wanting).Secret(kWaveName, /*create=*/true).status()), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_EQ(*ResponseStore(*store_, *vault_).Secret(kWaveName, /*create=*/true), secret);

  const auto lost = *vault::Vault::Make(key + "\n" + vault_->key_id() + " lost");
  EXPECT_EQ(ResponseStore(*store_, *lost).Secret(kWaveName, /*create=*/false).value_or("none"), "");
  // Replicas that start at the same time.
  std::vector<std::string> made(4);
  std::vector<std::thread> threads;
  for (std::string& one : made) {
    threads.emplace_back([&] { one = ResponseStore(*store_, *lost).Secret(kWaveName, /*create=*/true).value_or("none"); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(made, ::testing::Each(made.front()));
  EXPECT_EQ(made.front().size(), 32u);
  EXPECT_NE(made.front(), secret);
  EXPECT_EQ(ResponseStore(*store_, *wanting).Secret(kWaveName, /*create=*/true).value_or("none"), made.front());
}

TEST_F(ResponseStoreTest, ASecretThatIsLostComesNotBackOnceItIsErased) {
  ASSERT_EQ(responses_.Secret(kWaveName, /*create=*/true)->size(), 32u);
  ASSERT_TRUE(store_->Commit({.partition = kWaveName, .writes = {{.key = "erased", .value = ""}}}).ok());
  const auto lost = *vault::Vault::Make(vault::Vault::NewKey("new") + "\n" + vault_->key_id() + " lost");
  EXPECT_EQ(ResponseStore(*store_, *lost).Secret(kWaveName, /*create=*/true).value_or("none"), "");
}

}  // namespace
}  // namespace peiling::intake
