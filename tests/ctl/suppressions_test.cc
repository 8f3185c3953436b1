// suppressions: as a user runs them.
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class SuppressionsTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("MailService/" + name); }
};

constexpr char kSuppression[] = R"({ name: "suppressions/9c1e" reason: SUPPRESSION_REASON_HARD_BOUNCE created_at { seconds: 1772000000 }
  message: "surveys/teams/waves/2022/messages/GM0363.uitnodiging.3f2a" })";

TEST_F(SuppressionsTest, AreListed) {
  suite_.Answers<fieldwork::v1::ListSuppressionsResponse>(Method("ListSuppressions"), std::string("suppressions ") + kSuppression);
  const Outcome outcome = Run({"suppressions", "list", "-o", "csv"});
  EXPECT_EQ(outcome.out,
            "suppression,reason,since,by,message\n"
            "9c1e,hard-bounce,2026-02-25 07:13,,GM0363.uitnodiging.3f2a\n")
      << outcome.err;
}

TEST_F(SuppressionsTest, AnAddressIsFoundAddedAndRemoved) {
  suite_.Answers<fieldwork::v1::FindSuppressionResponse>(Method("FindSuppression"), std::string("suppression ") + kSuppression);
  suite_.Answers<fieldwork::v1::CreateSuppressionResponse>(Method("CreateSuppression"), std::string("suppression ") + kSuppression);
  suite_.Answers<fieldwork::v1::DeleteSuppressionResponse>(Method("DeleteSuppression"), "");
  EXPECT_EQ(Run({"suppressions", "find", "a@x.nl", "-o", "name"}).out, "suppressions/9c1e\n");
  EXPECT_EQ(Run({"suppressions", "add", "a@x.nl", "--reason", "unsubscribed"}).code, 0);
  EXPECT_EQ(Run({"suppressions", "remove", "a@x.nl"}).code, 0);
  const auto added = suite_.Requests<fieldwork::v1::CreateSuppressionRequest>(Method("CreateSuppression")).at(0);
  EXPECT_EQ(added.address(), "a@x.nl");
  EXPECT_EQ(added.reason(), fieldwork::v1::SUPPRESSION_REASON_UNSUBSCRIBED);
  EXPECT_EQ(suite_.Requests<fieldwork::v1::DeleteSuppressionRequest>(Method("DeleteSuppression")).at(0).name(), "suppressions/9c1e");
}

TEST_F(SuppressionsTest, AnAddressThatMailGoesToIsNoError) {
  suite_.Fails(Method("FindSuppression"), status::Error(absl::StatusCode::kNotFound, "SUPPRESSION_NOT_FOUND", "mail goes to that address"));
  const Outcome outcome = Run({"suppressions", "find", "a@x.nl"});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("mail goes to that address"));
}

}  // namespace
}  // namespace peiling::ctl::testing
