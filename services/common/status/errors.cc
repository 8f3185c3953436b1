#include "services/common/status/errors.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "services/common/log/log.h"
#include "services/common/text/fold.h"

namespace peiling::status {
namespace {

constexpr char kDomain[] = "peiling.vng.nl";
constexpr char kTypePrefix[] = "type.googleapis.com/";

// Details travel in the trailers, base64-encoded, beside the message, whose bytes beyond ASCII become three; clients take 8 KiB of them.
constexpr size_t kMaxViolationBytes = 2800;
constexpr size_t kMaxMessageBytes = 700;
constexpr size_t kMaxFieldBytes = 200;
constexpr size_t kMaxDescriptionBytes = 400;

// At most `bytes` bytes of a text. A detail whose strings are not UTF-8 could not be read, so bytes that are not are escaped.
std::string Printable(std::string_view text, size_t bytes) {
  if (text::IsValidUtf8(text)) return text::Shorten(text, bytes);
  return text::Shorten(absl::CHexEscape(absl::string_view(text.data(), text.size())), bytes);
}

template <typename Detail>
std::string TypeUrl() {
  return absl::StrCat(kTypePrefix, Detail::descriptor()->full_name());
}

template <typename Detail>
void Attach(absl::Status& status, const Detail& detail) {
  status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
}

template <typename Detail>
Detail DetailOf(const absl::Status& status) {
  Detail detail;
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  if (payload) detail.ParseFromString(std::string(*payload));
  return detail;
}

bool TellsInternals(absl::StatusCode code) { return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown; }

// What an error that nobody gave a reason looks like from outside.
absl::Status WithReason(const absl::Status& status) {
  if (status.GetPayload(TypeUrl<google::rpc::ErrorInfo>())) return status;
  const std::string message(status.message().data(), status.message().size());
  if (!TellsInternals(status.code())) return Error(status.code(), absl::StatusCodeToString(status.code()), message);
  log::Error("internal error", {{"error", message}});
  return Error(status.code(), "INTERNAL_ERROR", "internal error");
}

}  // namespace

absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message,
                   const std::map<std::string, std::string>& metadata) {
  absl::Status status(code, Printable(message, std::string::npos));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(kDomain);
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = Printable(value, kMaxDescriptionBytes);
  Attach(status, info);
  return status;
}

void BadRequest::Add(std::string_view field, std::string_view description) {
  violations_.emplace_back(Printable(field, kMaxFieldBytes), Printable(description, kMaxDescriptionBytes));
}

bool BadRequest::empty() const { return violations_.empty(); }

absl::Status BadRequest::ToStatus(std::string_view reason) const {
  if (violations_.empty()) return absl::OkStatus();
  google::rpc::BadRequest detail;
  std::string message;
  size_t bytes = 0;
  for (const auto& [field, description] : violations_) {
    bytes += field.size() + description.size() + 8;
    if (bytes > kMaxViolationBytes) break;
    auto& violation = *detail.add_field_violations();
    violation.set_field(field);
    violation.set_description(description);
    absl::StrAppend(&message, message.empty() ? "" : "; ", field, ": ", description);
  }
  if (const size_t left_out = violations_.size() - detail.field_violations_size(); left_out > 0) {
    auto& violation = *detail.add_field_violations();
    violation.set_field("…");
    violation.set_description(absl::StrCat("and ", left_out, " more"));
  }
  absl::Status status = Error(absl::StatusCode::kInvalidArgument, reason, message);
  Attach(status, detail);
  return status;
}

absl::Status RetryAfter(absl::Status error, std::chrono::milliseconds delay) {
  google::rpc::RetryInfo info;
  *info.mutable_retry_delay() = google::protobuf::util::TimeUtil::MillisecondsToDuration(delay.count());
  Attach(error, info);
  return error;
}

std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status) {
  if (!status.GetPayload(TypeUrl<google::rpc::RetryInfo>())) return std::nullopt;
  const auto info = DetailOf<google::rpc::RetryInfo>(status);
  return std::chrono::milliseconds(google::protobuf::util::TimeUtil::DurationToMilliseconds(info.retry_delay()));
}

std::string Reason(const absl::Status& status) { return DetailOf<google::rpc::ErrorInfo>(status).reason(); }

std::map<std::string, std::string> Metadata(const absl::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return {info.metadata().begin(), info.metadata().end()};
}

std::vector<std::pair<std::string, std::string>> FieldViolations(const absl::Status& status) {
  std::vector<std::pair<std::string, std::string>> violations;
  const auto bad_request = DetailOf<google::rpc::BadRequest>(status);
  for (const auto& violation : bad_request.field_violations()) {
    violations.emplace_back(violation.field(), violation.description());
  }
  return violations;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status error = WithReason(status);
  google::rpc::Status details;
  details.set_code(static_cast<int>(error.code()));
  // Here and not before: what stays in the process, such as why a service does not start, is told whole.
  details.set_message(Printable({error.message().data(), error.message().size()}, kMaxMessageBytes));
  error.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    auto& any = *details.add_details();
    any.set_type_url(std::string(type.data(), type.size()));
    any.set_value(std::string(payload));
  });
  // Payloads come in no order, and the same error should be the same bytes. ErrorInfo, which every error has, comes first.
  std::sort(details.mutable_details()->begin(), details.mutable_details()->end(), [](const auto& a, const auto& b) {
    const std::string first = TypeUrl<google::rpc::ErrorInfo>();
    return std::pair(a.type_url() != first, a.type_url()) < std::pair(b.type_url() != first, b.type_url());
  });
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()), details.message(), details.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  absl::Status error(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!error.ok() && details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) error.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return error;
}

}  // namespace peiling::status
