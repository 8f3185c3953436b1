#include "services/gateway/http/problem.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/transcoder.h"

namespace peiling::gateway {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

struct Title {
  int status;
  std::string_view text;
};

constexpr Title kTitles[] = {
    {400, "Het verzoek klopt niet"},
    {401, "Niet aangemeld"},
    {403, "Geen toegang"},
    {404, "Niet gevonden"},
    {405, "Dat kan hier niet"},
    {406, "Geen passende vorm van het antwoord"},
    {408, "Het verzoek kwam te langzaam binnen"},
    {409, "Dat kan nu niet"},
    {412, "Intussen gewijzigd"},
    {413, "Het verzoek is te groot"},
    {414, "Het adres is te lang"},
    {415, "Geen bekende vorm van het verzoek"},
    {417, "Die verwachting kan niet worden waargemaakt"},
    {429, "Te veel verzoeken"},
    {431, "De kopregels zijn te groot"},
    {499, "Afgebroken"},
    {500, "Er ging iets mis"},
    {501, "Dat bestaat hier niet"},
    {503, "Nu niet beschikbaar"},
    {504, "Het duurde te lang"},
    {505, "Geen bekende versie van HTTP"},
};

// The status of an error by its code and, where that is not enough, by its reason. The first that fits.
struct Mapping {
  absl::StatusCode code;
  std::string_view reason;
  int status;
};

constexpr Mapping kMappings[] = {
    {absl::StatusCode::kInvalidArgument, "", 400},
    {absl::StatusCode::kOutOfRange, "", 400},
    {absl::StatusCode::kUnauthenticated, "", 401},
    {absl::StatusCode::kPermissionDenied, "", 403},
    {absl::StatusCode::kNotFound, "", 404},
    {absl::StatusCode::kAlreadyExists, "", 409},
    {absl::StatusCode::kAborted, "ETAG_MISMATCH", 412},
    {absl::StatusCode::kAborted, "", 409},
    {absl::StatusCode::kFailedPrecondition, "", 409},
    {absl::StatusCode::kResourceExhausted, "BACKEND_BUSY", 503},
    {absl::StatusCode::kResourceExhausted, "GATEWAY_BUSY", 503},
    {absl::StatusCode::kResourceExhausted, "TOO_MANY_CREDENTIALS", 503},
    {absl::StatusCode::kResourceExhausted, "STORAGE_FULL", 503},
    {absl::StatusCode::kResourceExhausted, "", 429},
    {absl::StatusCode::kCancelled, "", 499},
    {absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD", 404},
    {absl::StatusCode::kUnimplemented, "", 501},
    {absl::StatusCode::kUnavailable, "", 503},
    {absl::StatusCode::kDeadlineExceeded, "", 504},
};

// What the document is made of.
struct Problem {
  int status = 500;
  std::string reason;
  std::string detail;
  std::string request_id;
  std::map<std::string, std::string> metadata;
  // With where they are.
  std::vector<std::pair<FieldLocation, std::string>> errors;
};

void Text(Writer& out, std::string_view text) { out.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

void Member(Writer& out, const char* name, std::string_view value) {
  if (value.empty()) return;
  out.Key(name);
  Text(out, value);
}

void WriteError(Writer& out, const FieldLocation& at, const std::string& detail) {
  out.StartObject();
  Member(out, "in", at.in);
  out.Key("location");
  out.StartObject();
  Member(out, "pointer", at.pointer);
  Member(out, "name", at.name);
  if (!at.index.empty()) {
    out.Key("index");
    out.RawValue(at.index.data(), at.index.size(), rapidjson::kNumberType);
  }
  out.EndObject();
  Member(out, "detail", detail);
  out.EndObject();
}

std::string Write(const Problem& problem) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  Member(out, "type", absl::StrCat("urn:peiling:problem:", absl::StrReplaceAll(absl::AsciiStrToLower(problem.reason), {{"_", "-"}})));
  Member(out, "title", ProblemTitle(problem.status));
  out.Key("status");
  out.Int(problem.status);
  Member(out, "detail", problem.detail);
  if (!problem.request_id.empty()) Member(out, "instance", absl::StrCat("urn:peiling:request:", problem.request_id));
  Member(out, "reason", problem.reason);
  if (!problem.metadata.empty()) {
    out.Key("metadata");
    out.StartObject();
    for (const auto& [key, value] : problem.metadata) Member(out, key.c_str(), value);
    out.EndObject();
  }
  if (!problem.errors.empty()) {
    out.Key("errors");
    out.StartArray();
    for (const auto& [location, detail] : problem.errors) WriteError(out, location, detail);
    out.EndArray();
  }
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

Problem Describe(const absl::Status& error, const HttpRoute* route, std::string_view request_id) {
  Problem problem{HttpStatusOf(error), status::Reason(error), std::string(error.message().data(), error.message().size()),
                  std::string(request_id), status::Metadata(error)};
  for (const auto& [field, description] : status::FieldViolations(error)) {
    problem.errors.emplace_back(route == nullptr ? FieldLocation{"body", field} : LocateField(*route, field), description);
  }
  return problem;
}

}  // namespace

std::string_view ProblemTitle(int status) {
  const auto* const found =
      std::find_if(std::begin(kTitles), std::end(kTitles), [&](const Title& title) { return title.status == status; });
  return found == std::end(kTitles) ? ProblemTitle(500) : found->text;
}

int HttpStatusOf(const absl::Status& error) {
  const std::string reason = status::Reason(error);
  const auto* const found = std::find_if(std::begin(kMappings), std::end(kMappings), [&](const Mapping& mapping) {
    return mapping.code == error.code() && (mapping.reason.empty() || mapping.reason == reason);
  });
  return found == std::end(kMappings) ? 500 : found->status;
}

std::string ProblemJson(const absl::Status& error, const HttpRoute* route, std::string_view request_id) {
  return Write(Describe(error, route, request_id));
}

HttpResponse ProblemOf(const absl::Status& error, const HttpRoute* route, std::string_view request_id) {
  const Problem problem = Describe(error, route, request_id);
  HttpResponse response{problem.status, {{"Content-Type", kProblemType}}, Write(problem)};
  if (problem.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"peiling\"");
  if (const auto delay = status::RetryDelay(error)) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*delay).count();
    response.headers.emplace_back("Retry-After", absl::StrCat(std::max<int64_t>(seconds, 1)));
  }
  return response;
}

HttpResponse HttpProblem(int status, std::string_view reason, std::string_view detail) {
  return {status, {{"Content-Type", kProblemType}}, Write({status, std::string(reason), std::string(detail)})};
}

}  // namespace peiling::gateway
