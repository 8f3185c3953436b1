#include "services/access/audit_log.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/text/fold.h"

namespace peiling::access {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr int kAttempts = 10;
constexpr char kPartitions[] = "audit/";
constexpr size_t kReadAtOnce = 1000;
// Entries looked at for one page: some tens of milliseconds.
constexpr size_t kMaxLookedAt = 20'000;
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;

std::string MonthOf(const Timestamp& time) {
  return absl::StrCat(kPartitions, absl::FormatCivilTime(absl::ToCivilMonth(absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone())));
}

// Sorts the latest first: microseconds that are left until the year 10000, as 16 hex digits.
std::string TimeLeft(const Timestamp& time) {
  const int64_t left = (TimeUtil::kTimestampMaxSeconds + 1) * 1'000'000 - TimeUtil::TimestampToMicroseconds(time);
  return absl::StrCat(absl::Hex(left, absl::kZeroPad16));
}

std::string KeyOf(const v1::AuditEntry& entry) { return absl::StrCat(TimeLeft(entry.time()), "/", names::LastId(entry.name())); }

v1::AuditEntry Cut(v1::AuditEntry entry) {
  for (std::string* text : {entry.mutable_subject(), entry.mutable_action(), entry.mutable_object(), entry.mutable_result(),
                            entry.mutable_reason(), entry.mutable_origin(), entry.mutable_request_id()}) {
    *text = text::Shorten(*text, AuditLog::kMaxTextBytes);
  }
  return entry;
}

bool Wants(const v1::ListAuditEntriesRequest& request, const v1::AuditEntry& entry) {
  if (request.has_since() && entry.time() < request.since()) return false;
  if (request.has_until() && entry.time() >= request.until()) return false;
  if (!request.subject().empty() && entry.subject() != request.subject()) return false;
  if (!request.action().empty() && entry.action() != request.action() &&
      !absl::EndsWith(entry.action(), absl::StrCat("/", request.action()))) {
    return false;
  }
  if (!request.object().empty() && !identity::LiesWithin(entry.object(), request.object())) return false;
  return request.result().empty() || entry.result() == request.result();
}

// Where a list stands: after a key in a month.
struct Place {
  std::string month;
  std::string key;

  std::string ToText() const { return month + key; }
};

Place BeginOf(const v1::ListAuditEntriesRequest& request, const paging::Page& page) {
  const size_t month_length = MonthOf({}).size();
  if (page.after.size() > month_length) return {.month = page.after.substr(0, month_length), .key = page.after.substr(month_length)};
  // Just before the key of the first entry of that microsecond.
  if (request.has_until()) return {.month = MonthOf(request.until()), .key = TimeLeft(request.until())};
  return {.month = "", .key = ""};
}

}  // namespace

absl::Status AuditLog::Append(const std::string& month, std::map<std::string, std::string> entries) {
  for (int attempt = 1; !entries.empty(); ++attempt) {
    storage::Batch batch{.partition = month};
    for (const auto& [key, value] : entries) batch.writes.push_back({.key = key, .value = value, .expected_version = 0});
    const absl::Status committed = store_.Commit(std::move(batch)).status();
    if (!absl::IsAborted(committed) || attempt == kAttempts) return committed;

    // Repeats are rare; now it is known that there is one.
    std::vector<std::string> keys;
    keys.reserve(entries.size());
    for (const auto& [key, value] : entries) keys.push_back(key);
    const auto found = store_.GetMany(month, keys);
    if (!found.ok()) return found.status();
    for (const auto& document : *found) {
      if (document.has_value()) entries.erase(document->key);
    }
    storage::PauseAfterRace(attempt);
  }
  return store_.Confirm(month);
}

absl::Status AuditLog::Record(const v1::RecordAuditEntriesRequest& request) {
  std::map<std::string, std::map<std::string, std::string>> months;
  for (const v1::AuditEntry& entry : request.entries()) months[MonthOf(entry.time())].emplace(KeyOf(entry), Cut(entry).SerializeAsString());
  for (auto& [month, entries] : months) {
    if (absl::Status appended = Append(month, std::move(entries)); !appended.ok()) return appended;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ListAuditEntriesResponse> AuditLog::List(const v1::ListAuditEntriesRequest& request, const paging::Page& page) {
  auto months = store_.Partitions(kPartitions);
  if (!months.ok()) return months.status();
  std::reverse(months->begin(), months->end());
  const Place begin = BeginOf(request, page);
  const std::string last_month = request.has_since() ? MonthOf(request.since()) : "";
  const std::string last_key = request.has_since() ? TimeLeft(request.since()) + "0" : "~";

  v1::ListAuditEntriesResponse response;
  Place at;
  size_t looked_at = 0;
  size_t bytes = 0;
  for (const std::string& month : *months) {
    if (!begin.month.empty() && month > begin.month) continue;
    if (month < last_month) break;
    std::string after = month == begin.month ? begin.key : "";
    for (bool more = true; more;) {
      // The first time no more than a page without filters takes.
      const size_t limit = looked_at == 0 ? page.size + 1 : kReadAtOnce;
      const auto documents = store_.List(month, "", after, limit);
      if (!documents.ok()) return documents.status();
      more = documents->size() == limit;
      for (const storage::Document& document : *documents) {
        if (document.key > last_key) return response;
        if (response.entries_size() == page.size || bytes >= kMaxPageBytes || looked_at == kMaxLookedAt) {
          response.set_next_page_token(paging::NextPageToken(request, at.ToText()));
          return response;
        }
        auto entry = storage::Parse<v1::AuditEntry>(document);
        if (!entry.ok()) return entry.status();
        at = {.month = month, .key = document.key};
        after = document.key;
        ++looked_at;
        if (!Wants(request, *entry)) continue;
        bytes += document.value.size();
        *response.add_entries() = *std::move(entry);
      }
    }
  }
  return response;
}

}  // namespace peiling::access
