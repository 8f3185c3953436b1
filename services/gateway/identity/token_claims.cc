#include "services/gateway/identity/token_claims.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/gateway/identity/json.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;

constexpr size_t kMostSubjectBytes = 200;
// What lies beyond is no time.
constexpr double kMostSeconds = 1e12;

Verdict Invalid(const char* why) { return Verdict::Refused(Result::kInvalid, why); }

bool IsSubject(std::string_view text) {
  constexpr std::string_view kOthers = "-_.:|+=/";
  const auto allowed = [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMostSubjectBytes && std::all_of(text.begin(), text.end(), allowed);
}

// The texts of an array, or the words of a text; others are passed over.
std::vector<std::string> TextsOf(const rapidjson::Value& value) {
  std::vector<std::string> texts;
  if (value.IsString()) texts = absl::StrSplit(absl::string_view(value.GetString(), value.GetStringLength()), ' ', absl::SkipEmpty());
  if (!value.IsArray()) return texts;
  for (const auto& item : value.GetArray()) {
    if (item.IsString()) texts.emplace_back(item.GetString(), item.GetStringLength());
  }
  return texts;
}

bool IsFor(const rapidjson::Value& claims, const std::string& audience) {
  const rapidjson::Value* value = MemberOf(claims, "aud");
  if (value == nullptr) return false;
  if (value->IsString()) return TextOf(claims, "aud") == audience;
  const std::vector<std::string> texts = TextsOf(*value);
  return std::find(texts.begin(), texts.end(), audience) != texts.end();
}

// A time in a claim; nullopt when it is no time.
std::optional<std::chrono::system_clock::time_point> TimeOf(const rapidjson::Value& value) {
  if (!value.IsNumber()) return std::nullopt;
  const double seconds = value.GetDouble();
  if (!std::isfinite(seconds) || std::abs(seconds) > kMostSeconds) return std::nullopt;
  return TimeAt(static_cast<int64_t>(seconds));
}

// A claim by its name, or else by a path of names with dots between them.
const rapidjson::Value* ClaimAt(const rapidjson::Value& claims, const std::string& path) {
  if (const rapidjson::Value* claim = MemberOf(claims, path); claim != nullptr) return claim;
  const rapidjson::Value* claim = &claims;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (claim == nullptr || !claim->IsObject()) return nullptr;
    claim = MemberOf(*claim, {name.data(), name.size()});
  }
  return claim;
}

// Each role once: with the limits of all that give it, without limits when one of them has none.
Grants GrantsOf(const rapidjson::Value& claims, const IssuerRules& issuer) {
  struct Limits {
    bool none = false;
    std::set<std::string> resources;
  };
  std::map<access::v1::Role, Limits> by_role;
  const rapidjson::Value* claim = ClaimAt(claims, issuer.roles_claim);
  for (const std::string& value : claim == nullptr ? std::vector<std::string>() : TextsOf(*claim)) {
    const auto found = issuer.grants.find(value);
    if (found == issuer.grants.end()) continue;
    Limits& limits = by_role[found->second.role()];
    limits.none |= found->second.resources().empty();
    limits.resources.insert(found->second.resources().begin(), found->second.resources().end());
  }
  Grants grants;
  for (const auto& [role, limits] : by_role) {
    access::v1::Grant& grant = *grants.Add();
    grant.set_role(role);
    if (!limits.none) grant.mutable_resources()->Add(limits.resources.begin(), limits.resources.end());
  }
  return grants;
}

// Whether they may travel with every call. Each grant of the access file may; all that a token brings together, perhaps not.
bool AreWithinBounds(const Grants& grants) {
  status::BadRequest bad;
  if (!grants.empty()) identity::CheckGrants(grants, "grants", bad);
  return bad.empty();
}

}  // namespace

Verdict JudgeClaims(std::string_view payload, const IssuerRules& issuer, std::chrono::system_clock::time_point now,
                    std::chrono::seconds skew) {
  const auto text = DecodeBase64Url(payload);
  if (!text.has_value()) return Invalid("token: payload is not base64url");
  const auto claims = ParseJsonObject(*text);
  if (!claims.ok()) return Invalid("token: payload is not a plain JSON object");
  if (TextOf(*claims, "iss") != issuer.issuer) return Invalid("token: of another issuer than its key");
  if (!IsFor(*claims, issuer.audience)) return Invalid("token: for another audience");
  const std::string_view subject = TextOf(*claims, "sub").value_or("");
  if (!IsSubject(subject)) return Invalid("token: subject is missing, too long or has characters it may not have");
  if (MemberOf(*claims, "cnf") != nullptr) return Invalid("token: bound to a key of its holder");
  if (const rapidjson::Value* value = MemberOf(*claims, "nbf"); value != nullptr) {
    const auto begin = TimeOf(*value);
    if (!begin.has_value() || now + skew < *begin) return Invalid("token: not valid yet");
  }
  const rapidjson::Value* value = MemberOf(*claims, "exp");
  const auto end = value == nullptr ? std::nullopt : TimeOf(*value);
  if (!end.has_value()) return Invalid("token: does not say when it expires");
  if (now >= *end + skew) return Verdict::Refused(Result::kExpired, "token: expired");

  Grants grants = GrantsOf(*claims, issuer);
  if (!AreWithinBounds(grants)) return Invalid("token: its roles together are limited to more than a grant may name, or 4 KiB in all");

  access::v1::Identity identity;
  identity.set_subject(
      absl::StrCat("tokens/", issuer.name, "/", absl::StrReplaceAll(absl::string_view(subject.data(), subject.size()), {{"/", "%2F"}})));
  identity.set_credential(access::v1::CREDENTIAL_KIND_TOKEN);
  *identity.mutable_grants() = std::move(grants);
  *identity.mutable_expires_at() = google::protobuf::util::TimeUtil::SecondsToTimestamp(std::chrono::system_clock::to_time_t(*end));
  return Verdict::Holds(std::move(identity));
}

}  // namespace peiling::gateway
