#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/mail/suppression_list.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class SuppressionListTest : public testing::Test {
 protected:
  v1::CreateSuppressionRequest Request(const std::string& address, const std::string& request_id) {
    v1::CreateSuppressionRequest request;
    request.set_address(address);
    request.set_request_id(request_id);
    return request;
  }
  v1::Suppression Create(const std::string& address) {
    const auto created = list_.Create(Request(address, "request-" + std::to_string(++requests_)), "keys/1");
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->suppression() : v1::Suppression();
  }
  std::string Token(const std::string& address) { return *contacts_.AddressToken(address); }

  int requests_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'774'000'000);
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, [this] { return now_; }};
  SuppressionList list_{*store_, contacts_, [this] { return now_; }};
};

TEST_F(SuppressionListTest, AnAddressIsThereHoweverItIsWritten) {
  const v1::Suppression suppression = Create("A.Jansen@Utrecht.NL");
  EXPECT_EQ(suppression.reason(), v1::SUPPRESSION_REASON_MANUAL);
  EXPECT_EQ(suppression.created_by(), "keys/1");
  EXPECT_EQ(suppression.created_at().seconds(), 1'774'000'000);
  EXPECT_THAT(*list_.ContainsAddresses({"a.jansen@utrecht.nl", "b.jansen@utrecht.nl", "A.JANSEN@utrecht.nl"}),
              ElementsAre(true, false, true));
  EXPECT_THAT(*list_.ContainsAddresses({}), SizeIs(0));
  EXPECT_EQ(*list_.Count(), 1u);
}

TEST_F(SuppressionListTest, TheStoreTellsNobodyTheAddress) {
  Create("a.jansen@utrecht.nl");
  const auto documents = store_->List(SuppressionList::kPartition, "", "", 100);
  ASSERT_TRUE(documents.ok());
  ASSERT_THAT(*documents, SizeIs(2));
  for (const storage::Document& document : *documents) EXPECT_EQ((document.key + document.value).find("jansen"), std::string::npos);
}

TEST_F(SuppressionListTest, WhatIsThereStaysAsItIs) {
  ASSERT_TRUE(list_.Add(Token("a@x.nl"), v1::SUPPRESSION_REASON_HARD_BOUNCE, "", "surveys/s/waves/w/messages/m").ok());
  now_ += absl::Hours(1);
  const auto again = list_.Add(Token("a@x.nl"), v1::SUPPRESSION_REASON_COMPLAINT, "", "surveys/s/waves/w/messages/n");
  ASSERT_TRUE(again.ok());
  const v1::Suppression created = Create("a@x.nl");
  for (const v1::Suppression& each : {*again, created}) {
    EXPECT_EQ(each.reason(), v1::SUPPRESSION_REASON_HARD_BOUNCE);
    EXPECT_EQ(each.message(), "surveys/s/waves/w/messages/m");
    EXPECT_EQ(each.created_at().seconds(), 1'774'000'000);
  }
  EXPECT_EQ(*list_.Count(), 1u);
}

TEST_F(SuppressionListTest, ARepeatedRequestGetsItsAnswerAlsoAfterItWasTakenBack) {
  const auto first = list_.Create(Request("a@x.nl", "r"), "keys/1");
  v1::DeleteSuppressionRequest remove;
  remove.set_name(first->suppression().name());
  remove.set_request_id("d");
  ASSERT_TRUE(list_.Delete(remove).ok());
  ASSERT_TRUE(list_.Delete(remove).ok());
  now_ += absl::Hours(1);
  const auto repeat = list_.Create(Request("a@x.nl", "r"), "keys/1");
  ASSERT_TRUE(repeat.ok());
  EXPECT_EQ(repeat->SerializeAsString(), first->SerializeAsString());
  EXPECT_THAT(*list_.ContainsAddresses({"a@x.nl"}), ElementsAre(false));
  EXPECT_EQ(status::Reason(list_.Create(Request("b@x.nl", "r"), "keys/1").status()), "REQUEST_ID_REUSED");
}

TEST_F(SuppressionListTest, DeletingLetsMailGoAgain) {
  v1::DeleteSuppressionRequest remove;
  remove.set_name(Create("a@x.nl").name());
  remove.set_request_id("d1");
  ASSERT_TRUE(list_.Delete(remove).ok());
  EXPECT_THAT(*list_.ContainsAddresses({"a@x.nl"}), ElementsAre(false));
  remove.set_request_id("d2");
  EXPECT_EQ(status::Reason(list_.Delete(remove)), "SUPPRESSION_NOT_FOUND");
  Create("a@x.nl");
  EXPECT_THAT(*list_.ContainsAddresses({"a@x.nl"}), ElementsAre(true));
}

TEST_F(SuppressionListTest, IsListedInPages) {
  for (const char* const address : {"a@x.nl", "b@x.nl", "c@x.nl", "d@x.nl", "e@x.nl"}) Create(address);
  v1::ListSuppressionsRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  std::vector<int> sizes;
  do {
    status::BadRequest bad;
    const paging::Page page = paging::ReadPage(request, bad);
    ASSERT_TRUE(bad.empty());
    const auto response = list_.List(request, page);
    ASSERT_TRUE(response.ok()) << response.status();
    for (const v1::Suppression& each : response->suppressions()) names.push_back(each.name());
    sizes.push_back(response->suppressions_size());
    request.set_page_token(response->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_F(SuppressionListTest, AnAddressIsFoundHoweverItIsWritten) {
  Create("c@x.nl");
  const auto found = list_.Find("C@x.nl");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->name(), "suppressions/" + Token("c@x.nl"));
  EXPECT_EQ(status::Reason(list_.Find("d@x.nl").status()), "SUPPRESSION_NOT_FOUND");
}

}  // namespace
}  // namespace peiling::fieldwork
