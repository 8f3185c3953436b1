#include "services/fieldwork/contacts/validate.h"

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/contact_fields.h"

namespace peiling::fieldwork {
namespace {

using status::BadRequest;

constexpr char kMunicipality[] = "municipalities/*";
constexpr char kContact[] = "municipalities/*/contacts/*";
constexpr size_t kMaxFile = 3 << 20;

void CheckContact(const v1::Contact& contact, const std::string& today, BadRequest& bad) {
  for (const FieldProblem& problem : Problems(Given(contact), today)) bad.Add("contact." + problem.field, problem.english);
}

}  // namespace

absl::Status Validate(const v1::CreateContactRequest& request, const std::string& today) {
  BadRequest bad;
  names::Require("parent", request.parent(), kMunicipality, bad);
  const v1::Contact& contact = request.contact();
  CheckContact(contact, today, bad);
  requests::RequireUnset("contact.name", !contact.name().empty(), bad);
  requests::RequireUnset("contact.created_at", contact.has_created_at(), bad);
  requests::RequireUnset("contact.updated_at", contact.has_updated_at(), bad);
  requests::RequireUnset("contact.erased_at", contact.has_erased_at(), bad);
  requests::RequireUnset("contact.erased_by", !contact.erased_by().empty(), bad);
  requests::RequireUnset("contact.suppressed", contact.suppressed(), bad);
  requests::RequireUnset("contact.etag", !contact.etag().empty(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetContactRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kContact, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListContactsRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kMunicipality, bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::UpdateContactRequest& request, const std::string& today) {
  BadRequest bad;
  names::Require("contact.name", request.contact().name(), kContact, bad);
  CheckContact(request.contact(), today, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::EraseContactRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kContact, bad);
  requests::CheckReason(request.reason(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ImportContactsRequest& request) {
  BadRequest bad;
  if (request.content().empty() || request.content().size() > kMaxFile) {
    bad.Add("content", absl::StrCat(request.content().size(), " bytes, want 1 to ", kMaxFile));
  }
  v1::Contact row;
  row.set_source(request.source());
  for (const FieldProblem& problem : Problems(Given(row), "")) {
    if (problem.field == "source") bad.Add(problem.field, problem.english);
  }
  if (!request.as_of().empty() && !names::IsDate(request.as_of())) bad.Add("as_of", "is no day, want YYYY-MM-DD");
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ExportContactsRequest& request) {
  BadRequest bad;
  for (int i = 0; i < request.municipalities_size(); ++i) {
    names::Require(absl::StrCat("municipalities[", i, "]"), request.municipalities(i), kMunicipality, bad);
  }
  return bad.ToStatus();
}

}  // namespace peiling::fieldwork
