#include "services/ctl/client/errors.h"

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kServer[] = "127.0.0.1:7340";

TEST(ExitCodeTest, EachKindOfErrorHasItsOwn) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(UsageError("x")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), ExitCode::kInvalidInput);
  EXPECT_EQ(ExitCodeOf(status::Error(absl::StatusCode::kFailedPrecondition, "NOT_IN_FRAME", "x")), ExitCode::kInvalidInput);
  EXPECT_EQ(ExitCodeOf(status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_IN_USE", "x")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("x")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("x")), ExitCode::kConflict);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("x")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("x")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("x")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("x")), ExitCode::kUnavailable);
}

TEST(DescribeErrorTest, EveryWrongFieldHasALine) {
  status::BadRequest bad;
  bad.Add("2022.yaml:12:3", "code \"Q5\" twice");
  bad.Add("2022.yaml:40:8", "unknown question \"Q99\"");
  EXPECT_EQ(DescribeError(bad.ToStatus("DOCUMENT_INVALID"), kServer),
            "error: 2 problems\n"
            "  2022.yaml:12:3: code \"Q5\" twice\n"
            "  2022.yaml:40:8: unknown question \"Q99\"\n"
            "reason: DOCUMENT_INVALID\n");
}

TEST(DescribeErrorTest, AFaultInAFileHasItsPlace) {
  const auto error =
      status::Error(absl::StatusCode::kInvalidArgument, "EXPORT_MALFORMED", "a quote was never closed", {{"line", "12"}, {"column", "40"}});
  EXPECT_THAT(DescribeError(error, kServer), HasSubstr("error: a quote was never closed (line 12, column 40)\n"));
}

TEST(DescribeErrorTest, AServerThatIsNotThereIsSaidWithoutGrpcsWords) {
  const std::string text = DescribeError(absl::UnavailableError("failed to connect to all addresses; last error: UNKNOWN: ipv4:"), kServer);
  EXPECT_THAT(text, HasSubstr("error: cannot reach the server at 127.0.0.1:7340\n"));
  EXPECT_THAT(text, HasSubstr("hint: "));
  EXPECT_THAT(text, Not(HasSubstr("failed to connect")));
}

TEST(DescribeErrorTest, AReasonBringsItsHint) {
  EXPECT_EQ(DescribeError(status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", "no wave \"2023\""), kServer),
            "error: no wave \"2023\"\nreason: WAVE_NOT_FOUND\nhint: `peilingctl get waves` lists those there are; `peilingctl apply -f "
            "FILE` makes one\n");
}

TEST(DescribeErrorTest, AMessageCannotSteerTheTerminal) {
  EXPECT_EQ(DescribeError(absl::NotFoundError("\x1b[2J"), kServer).find('\x1b'), std::string::npos);
}

TEST(ErrorAsJsonTest, HoldsEverythingAProgramNeeds) {
  status::BadRequest bad;
  bad.Add("parent", "\"\", want surveys/*/waves/*");
  google::protobuf::Struct json;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ErrorAsJson(bad.ToStatus(), kServer), &json).ok());
  const auto& error = json.fields().at("error").struct_value().fields();
  EXPECT_EQ(error.at("code").string_value(), "INVALID_ARGUMENT");
  EXPECT_EQ(error.at("reason").string_value(), "INVALID_REQUEST");
  EXPECT_EQ(error.at("exitCode").number_value(), 4);
  const auto& violation = error.at("fieldViolations").list_value().values(0).struct_value().fields();
  EXPECT_EQ(violation.at("field").string_value(), "parent");
  EXPECT_EQ(violation.at("description").string_value(), "\"\", want surveys/*/waves/*");
}

}  // namespace
}  // namespace peiling::ctl
