#include "services/ctl/client/errors.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "services/common/status/errors.h"
#include "services/ctl/output/terminal.h"

namespace peiling::ctl {
namespace {

constexpr char kUsageReason[] = "USAGE";

// What helps, by reason. What only repeats the message is left out.
const std::map<std::string, std::string>& HintsByReason() {
  static const auto& hints = *new std::map<std::string, std::string>{
      {"SURVEY_NOT_FOUND", "`peilingctl get surveys` lists those there are"},
      {"WAVE_NOT_FOUND", "`peilingctl get waves` lists those there are; `peilingctl apply -f FILE` makes one"},
      {"QUESTIONNAIRE_NOT_FOUND", "`peilingctl get waves` shows which questionnaire each wave has"},
      {"QUESTION_NOT_FOUND", "`peilingctl get questionnaire` lists the codes"},
      {"OPTION_NOT_FOUND", "`peilingctl get questionnaire QUESTION` lists its options"},
      {"RESPONSE_NOT_FOUND", "`peilingctl responses list` lists those there are"},
      {"CASE_NOT_FOUND", "`peilingctl cases list` lists those there are"},
      {"RECORD_NOT_FOUND", "`peilingctl cases show MUNICIPALITY` shows why it has no record"},
      {"MUNICIPALITY_NOT_FOUND", "`peilingctl municipality resolve TEXT` finds the code of a name"},
      {"PROVINCE_NOT_FOUND", "`peilingctl municipality list` shows the provinces"},
      {"PUBLISHED_REPORT_NOT_FOUND", "`peilingctl apply -f FILE` takes a document of kind: published"},
      {"NOT_IN_FRAME", "`peilingctl municipality lineage CODE --from DATE --to DATE` shows what became of it"},
      {"KEY_NOT_FOUND", "`peilingctl keys list` lists those there are"},
      {"TOO_MANY_KEYS", "`peilingctl keys list --live` shows them; `peilingctl keys revoke KEY` ends one"},
      {"QUESTIONNAIRE_IN_USE", "give the questionnaire a new version and make a wave that uses it"},
      {"RULING_CONFLICT", "`peilingctl cases rulings` lists the ruling that stands; `peilingctl cases retract RULING` takes it back"},
      {"ALREADY_RETRACTED", "`peilingctl cases rulings` shows by whom and why"},
      {"ALREADY_WITHDRAWN", "`peilingctl responses show RESPONSE` shows why"},
      {"EXPORT_ENCODING", "save the export as UTF-8, e.g. iconv -f WINDOWS-1252 -t UTF-8 export.csv > utf8.csv"},
      {"EXPORT_COLUMNS", "`peilingctl get questionnaire` lists the codes; is this the export of this wave (--wave)?"},
      {"EXPORT_MALFORMED", "mend the file at that place and import it again: rows that are there already stay as they are"},
      {"CONCURRENT_CHANGE", "somebody changed it at the same moment; try again"},
      {"ETAG_MISMATCH", "it changed since you looked; look again, then try again"},
      {"INDEX_BUILDING", "analytics is still reading the feed; `peilingctl wait` waits for it"},
      {"CREDENTIALS_MISSING",
       "say who you are: --key-file FILE or PEILING_KEY_FILE; an administrator makes a key with `peilingctl keys create`"},
      {"CREDENTIALS_INVALID",
       "is it the right key or token, whole, and for this server? An administrator sees with `peilingctl keys list` whether it lives"},
      {"TOKEN_EXPIRED", "log in again for another token; an administrator makes another key with `peilingctl keys create`"},
      {"CREDENTIALS_WITHDRAWN", "it was revoked or has expired since this began: go on with another key or token"},
      {"ROLE_MISSING", "`peilingctl whoami` shows what you may do; an administrator gives roles"},
      {"NOT_WITHIN_LIMITS", "`peilingctl whoami` shows which surveys and waves your key is for"},
      {"RATE_LIMITED", "you call more often than you may; wait a moment"},
      {"SMTP_UNAVAILABLE", "is --smtp the right server, and is it up? What was not sent stays due"},
      {"SMTP_REFUSED",
       "look at --smtp-credentials, and whether the server takes mail from this machine and sender; what was not sent stays due"},
      {"MAIL_REFUSED", "is it the right mail server? Run again to go on; what was not sent stays due"},
      {"TLS_KEY_MISMATCH", "give --tls-certificate and --tls-key of the same pair"},
      {"RESTORE_CONFLICT", "import into an empty store, or into one that holds a part of this backup and nothing else"},
      {"STORE_CHANGED", "stop the services that use the store, then export again"},
      {"STORAGE_IN_USE", "a file has one user: stop its service first"},
      {"BACKUP_TRUNCATED", "nothing more can be had from it; take another backup"},
      {"STORAGE_UNAVAILABLE", "is the store up, and may you use it?"},
      {"STORAGE_FULL", "make room on the server's disk, then try again: what was acknowledged is kept"},
      {"STORAGE_CORRUPT", "the store is damaged; the server's log says where"},
  };
  return hints;
}

// When there is no connection: what may be the matter with TLS, by gRPC's words; empty when they say nothing of it.
std::string TlsHint(std::string_view message) {
  const auto says = [message](std::string_view words) { return message.find(words) != std::string_view::npos; };
  if (says("certificate verify failed"))
    return "its certificate is from no authority that is believed here, or for another name: give --tls-ca FILE";
  if (says("certificate required") || says("unknown ca") || says("bad certificate")) {
    return "it wants a certificate of an authority it knows: --tls-certificate FILE and --tls-key FILE";
  }
  if (says("wrong version number")) return "it does not speak TLS: leave out https:// and --tls-ca";
  return "";
}

std::string Hint(const absl::Status& error, const std::string& server) {
  const auto hint = HintsByReason().find(status::Reason(error));
  if (hint != HintsByReason().end()) return hint->second;
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
      if (const std::string tls = TlsHint({error.message().data(), error.message().size()}); !tls.empty()) return tls;
      return absl::StrCat("is Peiling running at ", server,
                          "? Start it, or say where it is with --server or PEILING_SERVER; with TLS, https://HOST:PORT");
    case absl::StatusCode::kUnauthenticated:
      return "say who you are with --key-file FILE or PEILING_KEY_FILE";
    case absl::StatusCode::kPermissionDenied:
      return "`peilingctl whoami` shows what you may do";
    case absl::StatusCode::kDeadlineExceeded:
      return "give it longer with --timeout, e.g. --timeout 2m";
    case absl::StatusCode::kResourceExhausted:
      return "the server is busy or the message too large; try again in a moment";
    case absl::StatusCode::kUnimplemented:
      return "the server does not know this call; is it as new as this program (`peilingctl version`)?";
    default:
      return "";
  }
}

// gRPC's own words about a lost connection say nothing to a person.
std::string Message(const absl::Status& error, const std::string& server) {
  if (!status::Reason(error).empty()) return std::string(error.message());
  if (error.code() == absl::StatusCode::kUnavailable) return absl::StrCat("cannot reach the server at ", server);
  if (error.code() == absl::StatusCode::kDeadlineExceeded) return absl::StrCat("the server at ", server, " did not answer in time");
  if (error.message().empty()) return absl::StatusCodeToString(error.code());
  return std::string(error.message());
}

// The place of a fault in a file, when the server names one.
std::string Place(const std::map<std::string, std::string>& metadata) {
  const auto line = metadata.find("line");
  if (line == metadata.end()) return "";
  const auto column = metadata.find("column");
  return absl::StrCat("line ", line->second, column == metadata.end() ? "" : absl::StrCat(", column ", column->second));
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& error) {
  const std::string reason = status::Reason(error);
  switch (error.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kInvalidArgument:
      return reason == kUsageReason ? ExitCode::kUsage : ExitCode::kInvalidInput;
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalidInput;
    case absl::StatusCode::kFailedPrecondition:
      return reason == "NOT_IN_FRAME" ? ExitCode::kInvalidInput : ExitCode::kConflict;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kRefused;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kUnavailable;
  }
}

absl::Status UsageError(std::string_view message) { return status::Error(absl::StatusCode::kInvalidArgument, kUsageReason, message); }

std::string DescribeError(const absl::Status& error, const std::string& server) {
  const std::string reason = status::Reason(error);
  const auto violations = status::FieldViolations(error);
  const std::string place = Place(status::Metadata(error));
  std::string message = Printable(Message(error, server));
  // A bad request's message repeats its fields for logs; here each gets a line.
  if (!violations.empty()) message = absl::StrCat(violations.size(), violations.size() == 1 ? " problem" : " problems");
  std::string out = absl::StrCat("error: ", message);
  if (!place.empty() && out.find(place) == std::string::npos) absl::StrAppend(&out, " (", place, ")");
  absl::StrAppend(&out, "\n");
  for (const auto& [field, description] : violations) absl::StrAppend(&out, "  ", Printable(field), ": ", Printable(description), "\n");
  if (!reason.empty() && reason != kUsageReason) absl::StrAppend(&out, "reason: ", reason, "\n");
  if (const std::string hint = Hint(error, server); !hint.empty()) absl::StrAppend(&out, "hint: ", hint, "\n");
  return out;
}

std::string ErrorAsJson(const absl::Status& error, const std::string& server) {
  google::protobuf::Struct body;
  auto& fields = *body.mutable_fields();
  fields["code"].set_string_value(absl::StatusCodeToString(error.code()));
  fields["message"].set_string_value(Message(error, server));
  fields["exitCode"].set_number_value(static_cast<int>(ExitCodeOf(error)));
  if (const std::string reason = status::Reason(error); !reason.empty()) fields["reason"].set_string_value(reason);
  if (const std::string hint = Hint(error, server); !hint.empty()) fields["hint"].set_string_value(hint);
  for (const auto& [key, value] : status::Metadata(error)) {
    (*fields["metadata"].mutable_struct_value()->mutable_fields())[key].set_string_value(value);
  }
  for (const auto& [field, description] : status::FieldViolations(error)) {
    auto& violation = *fields["fieldViolations"].mutable_list_value()->add_values()->mutable_struct_value()->mutable_fields();
    violation["field"].set_string_value(field);
    violation["description"].set_string_value(description);
  }
  google::protobuf::Struct outer;
  *(*outer.mutable_fields())["error"].mutable_struct_value() = body;
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(outer, &json);
  return json + "\n";
}

}  // namespace peiling::ctl
