#include "services/common/requests/checks.h"

#include "absl/strings/str_cat.h"
#include "services/common/text/characters.h"

namespace peiling::requests {
namespace {

constexpr size_t kMaxRequestId = 100;
constexpr size_t kMaxReason = 1000;

}  // namespace

void CheckText(std::string_view field, std::string_view text, size_t most, status::BadRequest& bad) {
  if (const size_t count = text::Characters(text); count > most) bad.Add(field, absl::StrCat(count, " characters, want at most ", most));
}

void RequireText(std::string_view field, std::string_view text, size_t most, status::BadRequest& bad) {
  if (text.empty()) bad.Add(field, "\"\", want non-empty");
  CheckText(field, text, most, bad);
}

void RequireRequestId(std::string_view request_id, status::BadRequest& bad) {
  if (request_id.empty()) bad.Add("request_id", "\"\", want a UUID or other unique text");
  CheckText("request_id", request_id, kMaxRequestId, bad);
}

void CheckReason(std::string_view reason, status::BadRequest& bad) { CheckText("reason", reason, kMaxReason, bad); }

void RequireUnset(std::string_view field, bool set, status::BadRequest& bad) {
  if (set) bad.Add(field, "is set by the service, want it empty");
}

}  // namespace peiling::requests
