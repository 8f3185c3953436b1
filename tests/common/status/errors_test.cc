#include "services/common/status/errors.h"

#include <string>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "services/common/log/log.h"

namespace peiling::status {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(Error, CarriesReasonAndMetadata) {
  const absl::Status error = Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", "somebody else was first", {{"wave", "w1"}});
  EXPECT_EQ(error.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(error.message(), "somebody else was first");
  EXPECT_EQ(Reason(error), "CONCURRENT_CHANGE");
  EXPECT_THAT(Metadata(error), ElementsAre(Pair("wave", "w1")));
  EXPECT_THAT(FieldViolations(error), IsEmpty());
}

TEST(Error, WithoutDetailsHasNoReason) {
  EXPECT_EQ(Reason(absl::OkStatus()), "");
  EXPECT_EQ(Reason(absl::NotFoundError("x")), "");
}

TEST(BadRequest, NamesEveryWrongFieldAtOnce) {
  BadRequest bad;
  EXPECT_TRUE(bad.empty());
  EXPECT_TRUE(bad.ToStatus().ok());
  bad.Add("wave", "\"\", want non-empty");
  bad.Add("answers[3].code", "\"Q99\", want a question");
  EXPECT_FALSE(bad.empty());
  const absl::Status error = bad.ToStatus();
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Reason(error), "INVALID_REQUEST");
  EXPECT_EQ(error.message(), "wave: \"\", want non-empty; answers[3].code: \"Q99\", want a question");
  EXPECT_THAT(FieldViolations(error),
              ElementsAre(Pair("wave", "\"\", want non-empty"), Pair("answers[3].code", "\"Q99\", want a question")));
  EXPECT_EQ(Reason(bad.ToStatus("DOCUMENT_INVALID")), "DOCUMENT_INVALID");
}

// Bytes of an error among the trailers: details in base64, the message with bytes beyond ASCII as "%C3".
size_t TrailerBytes(const grpc::Status& error) {
  size_t bytes = error.error_details().size() * 4 / 3;
  for (const char c : error.error_message()) bytes += c < 0x20 || c == '%' || c > 0x7e ? 3 : 1;
  return bytes;
}

TEST(BadRequest, OfAnySizeFitsInAClientsMetadata) {
  BadRequest accents;
  for (int i = 0; i < 50; ++i) accents.Add("ëëëëëëëëëë", "ëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëëë");
  EXPECT_LT(TrailerBytes(ToGrpc(accents.ToStatus())), 8000u);

  BadRequest bad;
  for (int i = 0; i < 5000; ++i) bad.Add("field" + std::to_string(i), std::string(1000, 'x'));
  const grpc::Status error = ToGrpc(bad.ToStatus());
  EXPECT_LT(TrailerBytes(error), 8000u);
  const auto violations = FieldViolations(FromGrpc(error));
  ASSERT_GE(violations.size(), 2u);
  EXPECT_EQ(violations.back().second, "and " + std::to_string(5000 - (violations.size() - 1)) + " more");
}

TEST(BadRequest, CutsBetweenCharacters) {
  BadRequest bad;
  std::string e;
  for (int i = 0; i < 1000; ++i) e += "\xc3\xab";
  bad.Add("a" + e, e);
  const std::string bytes = ToGrpc(bad.ToStatus()).error_details();
  google::rpc::Status details;  // Parsing refuses strings that are not UTF-8.
  ASSERT_TRUE(details.ParseFromString(bytes));
  google::rpc::BadRequest detail;
  ASSERT_TRUE(details.details(1).UnpackTo(&detail));
  EXPECT_THAT(detail.field_violations(0).description(), HasSubstr("ë…"));
}

TEST(Grpc, BytesThatAreNotUtf8AreEscapedAndLoseNoDetail) {
  BadRequest bad;
  bad.Add("name", "\"a\xc3\"");
  for (const absl::Status& error : {bad.ToStatus(), Error(absl::StatusCode::kNotFound, "INVALID_REQUEST", "\xff", {{"name", "\xff"}})}) {
    EXPECT_EQ(Reason(FromGrpc(ToGrpc(error))), "INVALID_REQUEST");
  }
  EXPECT_THAT(FieldViolations(bad.ToStatus()), ElementsAre(Pair("name", "\\\"a\\xc3\\\"")));
}

TEST(Grpc, RoundTripLosesNothing) {
  BadRequest bad;
  bad.Add("name", "wrong");
  for (const absl::Status& error :
       {absl::OkStatus(), Error(absl::StatusCode::kNotFound, "WAVE_UNKNOWN", "no such wave", {{"a", "1"}, {"b", "2"}}),
        bad.ToStatus("X")}) {
    EXPECT_EQ(FromGrpc(ToGrpc(error)), error);
  }
}

TEST(Grpc, DetailsAreAGoogleRpcStatusWithErrorInfoFirst) {
  BadRequest bad;
  bad.Add("name", "wrong");
  const grpc::Status error = ToGrpc(bad.ToStatus());
  EXPECT_EQ(error.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto details = DetailsOf(error);
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), error.error_message());
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "peiling.vng.nl");
  EXPECT_EQ(info.reason(), "INVALID_REQUEST");
}

TEST(Grpc, ErrorWithoutReasonGetsItsCodesName) {
  const grpc::Status error = ToGrpc(absl::DeadlineExceededError("too late"));
  EXPECT_EQ(error.error_message(), "too late");
  EXPECT_EQ(Reason(FromGrpc(error)), "DEADLINE_EXCEEDED");
}

TEST(Grpc, InternalErrorTellsNothingOutsideAndAllToTheLog) {
  testing::internal::CaptureStderr();
  const grpc::Status error = ToGrpc(absl::InternalError("/secret/path is broken"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("/secret/path is broken"));
  EXPECT_EQ(error.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(error.error_message(), Not(HasSubstr("secret")));
  EXPECT_THAT(error.error_details(), Not(HasSubstr("secret")));
  EXPECT_EQ(Reason(FromGrpc(error)), "INTERNAL_ERROR");
}

TEST(Grpc, DetailsThatCannotBeReadAreLeftOut) {
  const absl::Status error = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone", "\xff\xff not a message"));
  EXPECT_EQ(error.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(error.message(), "gone");
  EXPECT_EQ(Reason(error), "");
}

}  // namespace
}  // namespace peiling::status
