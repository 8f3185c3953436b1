#include "services/access/validate.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"

namespace peiling::access {
namespace {

using google::protobuf::util::TimeUtil;
using status::BadRequest;

constexpr char kKey[] = "keys/*";
constexpr size_t kMaxTitle = 200;
constexpr int kMaxEntries = 1000;

// Years before 1970 have no keys and no log.
void CheckTime(std::string_view field, const google::protobuf::Timestamp& time, BadRequest& bad) {
  const bool is_time =
      time.seconds() >= 0 && time.seconds() <= TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 && time.nanos() < 1'000'000'000;
  if (!is_time) bad.Add(field, "is no time, want one of 1970 to 9999");
}

}  // namespace

absl::Status Validate(const v1::CreateKeyRequest& request) {
  BadRequest bad;
  const v1::Key& key = request.key();
  requests::RequireText("key.title", key.title(), kMaxTitle, bad);
  identity::CheckGrants(key.grants(), "key.grants", bad);
  if (key.has_expires_at()) CheckTime("key.expires_at", key.expires_at(), bad);
  requests::RequireUnset("key.name", !key.name().empty(), bad);
  requests::RequireUnset("key.created_at", key.has_created_at(), bad);
  requests::RequireUnset("key.created_by", !key.created_by().empty(), bad);
  requests::RequireUnset("key.revoked_at", key.has_revoked_at(), bad);
  requests::RequireUnset("key.revoked_by", !key.revoked_by().empty(), bad);
  requests::RequireUnset("key.etag", !key.etag().empty(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetKeyRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kKey, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListKeysRequest& request, paging::Page& page) {
  BadRequest bad;
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RevokeKeyRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kKey, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListAuditEntriesRequest& request, paging::Page& page) {
  BadRequest bad;
  if (request.has_since()) CheckTime("since", request.since(), bad);
  if (request.has_until()) CheckTime("until", request.until(), bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RecordAuditEntriesRequest& request) {
  BadRequest bad;
  if (request.entries().empty() || request.entries_size() > kMaxEntries) {
    bad.Add("entries", absl::StrCat(request.entries_size(), " entries, want 1 to ", kMaxEntries));
  }
  for (int i = 0; i < request.entries_size(); ++i) {
    const v1::AuditEntry& entry = request.entries(i);
    const std::string field = absl::StrCat("entries[", i, "]");
    names::Require(field + ".name", entry.name(), "audit-entries/*", bad);
    CheckTime(field + ".time", entry.time(), bad);
    if (entry.count() < 1) bad.Add(field + ".count", absl::StrCat(entry.count(), ", want at least 1"));
  }
  return bad.ToStatus();
}

}  // namespace peiling::access
