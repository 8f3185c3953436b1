#include "services/fieldwork/invitations/validate.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/contact_fields.h"

namespace peiling::fieldwork {
namespace {

using status::BadRequest;

constexpr char kWave[] = "surveys/*/waves/*";
constexpr char kInvitation[] = "surveys/*/waves/*/invitations/*";
constexpr char kResponse[] = "surveys/*/waves/*/responses/*";
constexpr char kContact[] = "municipalities/*/contacts/*";
constexpr int kMostMunicipalities = 1000;
constexpr int kFewestTogether = 2;
constexpr int kMostTogether = 50;
constexpr int kMostSections = 1000;

// What people say of themselves follows the same rules wherever it is said.
void CheckFields(const v1::Contact& contact, const std::set<std::string>& fields, BadRequest& bad) {
  for (const FieldProblem& problem : Problems(contact, "")) {
    if (fields.contains(problem.field)) bad.Add(problem.field, problem.english);
  }
}

// Also of other scripts, whatever their bytes are.
bool IsLetter(char c) { return absl::ascii_isalpha(c) || !absl::ascii_isascii(c); }
bool IsOfWord(char c) { return IsLetter(c) || absl::ascii_isdigit(c) || c == '-'; }

// Whether a dot joins two words, of which the second has two letters or more, as in "peiling.nl" and "t.co". That of initials does not, nor
// one before a space.
bool ReadsAsDomain(std::string_view name) {
  for (size_t dot = name.find('.', 1); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    const std::string_view after = name.substr(dot + 1);
    const auto end = std::find_if_not(after.begin(), after.end(), IsOfWord);
    if (IsOfWord(name[dot - 1]) && std::count_if(after.begin(), end, IsLetter) > 1) return true;
  }
  return false;
}

// Whether programs that show mail would make a link of it: nobody sends strangers theirs in our name.
bool ReadsAsLink(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  const auto has = [&](std::string_view part) { return lower.find(part) != std::string::npos; };
  return has("/") || has("@") || has("www.") || has("http") || ReadsAsDomain(name);
}

template <typename Request>
void RequirePerson(const Request& request, BadRequest& bad) {
  v1::Contact contact;
  contact.set_full_name(request.full_name());
  contact.set_email(request.email());
  if (Given(contact).full_name().empty()) bad.Add("full_name", "\"\", want a name");
  if (ReadsAsLink(request.full_name()))
    bad.Add("full_name", "reads as an address or a link, want a name, with a space after the dot of an abbreviation");
  CheckFields(contact, {"full_name", "email"}, bad);
}

// Codes of municipalities, none of which was met before.
void CheckCodes(const std::string& field, const google::protobuf::RepeatedPtrField<std::string>& codes, std::set<std::string>& met,
                BadRequest& bad) {
  for (int i = 0; i < codes.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    if (!names::IsId(codes[i])) {
      bad.Add(path, "is no code of a municipality, want GM and four digits");
    } else if (!met.insert(codes[i]).second) {
      bad.Add(path, absl::StrCat("\"", codes[i], "\" is there twice"));
    }
  }
}

}  // namespace

absl::Status Validate(const v1::IssueInvitationsRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  std::set<std::string> met;
  CheckCodes("municipalities", request.municipalities(), met, bad);
  for (int i = 0; i < request.joint_size(); ++i) {
    const std::string field = absl::StrCat("joint[", i, "].municipalities");
    const auto& codes = request.joint(i).municipalities();
    if (codes.size() < kFewestTogether || codes.size() > kMostTogether) {
      bad.Add(field, absl::StrCat(codes.size(), " codes, want ", kFewestTogether, " to ", kMostTogether));
    }
    CheckCodes(field, codes, met, bad);
  }
  if (met.size() > kMostMunicipalities) bad.Add("municipalities", absl::StrCat(met.size(), " in all, want at most ", kMostMunicipalities));
  if (request.joint_only() && request.joint().empty()) bad.Add("joint_only", "want joint invitations with it");
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetInvitationRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kInvitation, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListInvitationsRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (!v1::InvitationState_IsValid(request.state())) bad.Add("state", absl::StrCat(request.state(), " is no state"));
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ReissueInvitationRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kInvitation, bad);
  if (!request.contact().empty()) names::Require("contact", request.contact(), kContact, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RevokeInvitationRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kInvitation, bad);
  requests::CheckReason(request.reason(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RedeemInvitationRequest& request) {
  BadRequest bad;
  v1::Contact contact;
  contact.set_language(request.language());
  CheckFields(contact, {"language"}, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::InviteColleagueRequest& request) {
  BadRequest bad;
  names::Require("response", request.response(), kResponse, bad);
  RequirePerson(request, bad);
  if (request.sections_size() > kMostSections) bad.Add("sections", absl::StrCat(request.sections_size(), ", want at most ", kMostSections));
  for (int i = 0; i < request.sections_size(); ++i) {
    if (request.sections(i) < 1) bad.Add(absl::StrCat("sections[", i, "]"), absl::StrCat(request.sections(i), ", want 1 or more"));
  }
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListColleaguesRequest& request) {
  BadRequest bad;
  names::Require("response", request.response(), kResponse, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RemoveColleagueRequest& request) {
  BadRequest bad;
  names::Require("response", request.response(), kResponse, bad);
  if (!names::IsId(request.colleague())) bad.Add("colleague", "is no number of a colleague");
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::HandOverRequest& request) {
  BadRequest bad;
  names::Require("response", request.response(), kResponse, bad);
  RequirePerson(request, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

}  // namespace peiling::fieldwork
