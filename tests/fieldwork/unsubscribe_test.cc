#include "services/fieldwork/mail/unsubscribe.h"

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kLink[] = "https://peiling.example.nl/v1/unsubscriptions/";

class UnsubscribeTest : public testing::Test {
 protected:
  std::string TokenOf(const Unsubscriber& unsubscriber, const std::string& address) {
    const auto link = unsubscriber.LinkFor(*contacts_.AddressToken(address));
    EXPECT_TRUE(link.ok()) << link.status();
    EXPECT_THAT(*link, StartsWith(kLink));
    return link->substr(std::string(kLink).size());
  }
  bool IsSuppressed(const std::string& address) { return list_.ContainsAddresses({address})->front(); }

  const std::string old_line_ = vault::Vault::NewKey("old");
  const std::string new_line_ = vault::Vault::NewKey("new");
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(old_line_ + "\n");
  ContactStore contacts_{*store_, *vault_, [] { return absl::FromUnixSeconds(1'774'000'000); }};
  SuppressionList list_{*store_, contacts_, [] { return absl::FromUnixSeconds(1'774'000'000); }};
  Unsubscriber unsubscriber_{*vault_, list_, "https://peiling.example.nl"};
};

TEST_F(UnsubscribeTest, TheLinkEndsMailToItsAddressAndNoOther) {
  const std::string token = TokenOf(unsubscriber_, "a@x.nl");
  EXPECT_THAT(token, testing::MatchesRegex("[a-zA-Z0-9._-]+"));
  EXPECT_THAT(token, Not(HasSubstr("x.nl")));
  EXPECT_EQ(token, TokenOf(unsubscriber_, "A@X.nl"));
  ASSERT_TRUE(unsubscriber_.Unsubscribe(token).ok());
  ASSERT_TRUE(unsubscriber_.Unsubscribe(token).ok());
  EXPECT_TRUE(IsSuppressed("a@x.nl"));
  EXPECT_FALSE(IsSuppressed("b@x.nl"));
  const auto listed = list_.List({}, {.size = 10});
  ASSERT_EQ(listed->suppressions_size(), 1);
  EXPECT_EQ(listed->suppressions(0).reason(), v1::SUPPRESSION_REASON_UNSUBSCRIBED);
  EXPECT_EQ(listed->suppressions(0).created_by(), "");
}

TEST_F(UnsubscribeTest, NothingElseIsAToken) {
  const std::string token = TokenOf(unsubscriber_, "a@x.nl");
  const std::string address = *contacts_.AddressToken("b@x.nl");
  std::vector<std::string> wrong = {"",
                                    ".",
                                    "old.",
                                    token.substr(4),
                                    "new" + token.substr(3),
                                    token + "A",
                                    token + "=",
                                    token.substr(0, token.size() - 1),
                                    "old." + absl::WebSafeBase64Escape(absl::HexStringToBytes(address)),
                                    "old." + absl::WebSafeBase64Escape(absl::HexStringToBytes(address) + std::string(16, '\0')),
                                    address,
                                    std::string(100'000, 'a')};
  // Any character but those that stand for the same bits.
  for (size_t i = 4; i + 1 < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    wrong.push_back(other);
  }
  for (const std::string& each : wrong) EXPECT_EQ(status::Reason(unsubscriber_.Unsubscribe(each)), "TOKEN_INVALID") << each;
  EXPECT_EQ(*list_.Count(), 0u);
}

TEST_F(UnsubscribeTest, LinksHoldWhileTheirKeyIsKnown) {
  const std::string token = TokenOf(unsubscriber_, "a@x.nl");
  const auto rotated = *vault::Vault::Make(absl::StrCat(new_line_, "\n", old_line_, "\n"));
  Unsubscriber after(*rotated, list_, "https://peiling.example.nl");
  EXPECT_THAT(TokenOf(after, "a@x.nl"), StartsWith("new."));
  EXPECT_TRUE(after.Unsubscribe(token).ok());
  const auto alone = *vault::Vault::Make(new_line_ + "\n");
  EXPECT_EQ(status::Reason(Unsubscriber(*alone, list_, "").Unsubscribe(token)), "TOKEN_INVALID");
}

}  // namespace
}  // namespace peiling::fieldwork
