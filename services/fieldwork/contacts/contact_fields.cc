#include "services/fieldwork/contacts/contact_fields.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/common/text/characters.h"
#include "services/common/text/fold.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kMaxText = 200;
constexpr size_t kMaxPhone = 50;
// RFC 5646, 4.4.1.
constexpr size_t kMaxLanguage = 35;
// "14 020", the shortest numbers a municipality has.
constexpr int kFewestDigits = 5;

// Fields that hold what a person wrote.
template <typename Visit>
void ForEachText(v1::Contact& contact, const Visit& visit) {
  for (std::string* text : {contact.mutable_full_name(), contact.mutable_salutation(), contact.mutable_job_title(), contact.mutable_email(),
                            contact.mutable_phone(), contact.mutable_language(), contact.mutable_valid_from(), contact.mutable_valid_to(),
                            contact.mutable_source(), contact.mutable_last_confirmed()}) {
    visit(*text);
  }
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Lines within a name would be lines of a mail's head.
void CheckText(const std::string& field, const std::string& text, std::vector<FieldProblem>& problems) {
  if (const size_t count = text::Characters(text); count > kMaxText) {
    problems.push_back({field, absl::StrCat(count, " characters, want at most ", kMaxText),
                        absl::StrCat(count, " tekens, het mogen er hoogstens ", kMaxText, " zijn")});
  }
  if (std::any_of(text.begin(), text.end(), IsControl) || !text::IsValidUtf8(text)) {
    problems.push_back({field, "want one line of text", "moet één regel tekst zijn"});
  }
}

bool IsPhone(std::string_view phone) {
  const auto fits = [](char c) { return absl::ascii_isdigit(c) || std::string_view(" +-()/.,#x").find(c) != std::string_view::npos; };
  return phone.size() <= kMaxPhone && std::all_of(phone.begin(), phone.end(), fits) &&
         std::count_if(phone.begin(), phone.end(), absl::ascii_isdigit) >= kFewestDigits;
}

// The form of BCP 47 (RFC 5646, 2.1): subtags of 1 to 8 letters and digits, the first one letters.
bool IsLanguage(const std::string& language) {
  if (language.size() > kMaxLanguage) return false;
  const std::vector<std::string> subtags = absl::StrSplit(language, '-');
  const auto fits = [](const std::string& subtag) {
    return !subtag.empty() && subtag.size() <= 8 && std::all_of(subtag.begin(), subtag.end(), absl::ascii_isalnum);
  };
  const std::string& first = subtags.front();
  return std::all_of(subtags.begin(), subtags.end(), fits) && first.size() >= 2 &&
         std::all_of(first.begin(), first.end(), absl::ascii_isalpha);
}

bool CheckDay(const std::string& field, const std::string& day, std::vector<FieldProblem>& problems) {
  if (day.empty() || names::IsDate(day)) return true;
  problems.push_back({field, "is no day, want YYYY-MM-DD", "is geen datum (jjjj-mm-dd)"});
  return false;
}

void CheckDays(const v1::Contact& contact, const std::string& today, std::vector<FieldProblem>& problems) {
  const bool from = CheckDay("valid_from", contact.valid_from(), problems);
  const bool to = CheckDay("valid_to", contact.valid_to(), problems);
  if (from && to && !contact.valid_to().empty() && contact.valid_to() <= contact.valid_from()) {
    problems.push_back({"valid_to", "is not after valid_from", "ligt niet na geldig_vanaf"});
  }
  if (CheckDay("last_confirmed", contact.last_confirmed(), problems) && contact.last_confirmed() > today) {
    problems.push_back({"last_confirmed", "lies in the future", "ligt in de toekomst"});
  }
}

}  // namespace

v1::Contact Given(const v1::Contact& contact) {
  v1::Contact given = contact;
  given.clear_name();
  given.clear_created_at();
  given.clear_updated_at();
  given.clear_erased_at();
  given.clear_erased_by();
  given.clear_suppressed();
  given.clear_etag();
  ForEachText(given, [](std::string& text) { absl::StripAsciiWhitespace(&text); });
  return given;
}

std::vector<FieldProblem> Problems(const v1::Contact& contact, const std::string& today) {
  std::vector<FieldProblem> problems;
  if (contact.kind() == v1::CONTACT_KIND_UNSPECIFIED || !v1::ContactKind_IsValid(contact.kind())) {
    problems.push_back({"kind", "want a kind", "moet persoon, functie of algemeen zijn"});
  }
  CheckText("full_name", contact.full_name(), problems);
  CheckText("salutation", contact.salutation(), problems);
  CheckText("job_title", contact.job_title(), problems);
  if (contact.email().empty()) {
    problems.push_back({"email", "\"\", want an e-mail address", "ontbreekt"});
  } else if (!CanonicalAddress(contact.email()).has_value()) {
    problems.push_back({"email", "is no e-mail address", "is geen e-mailadres"});
  }
  if (!contact.phone().empty() && !IsPhone(contact.phone())) {
    problems.push_back({"phone", "is no telephone number", "is geen telefoonnummer"});
  }
  if (!contact.language().empty() && !IsLanguage(contact.language())) {
    problems.push_back({"language", "is no language tag (BCP 47), such as nl or fy", "is geen taalcode, zoals nl of fy"});
  }
  CheckText("source", contact.source(), problems);
  CheckDays(contact, today, problems);
  return problems;
}

}  // namespace peiling::fieldwork
