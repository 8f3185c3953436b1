// contacts add and change: one contact at a time.
#include <memory>
#include <optional>

#include "absl/strings/str_join.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/contacts.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Contact;
using fieldwork::v1::ContactKind;

// What was said of a contact; what was not stays as it is.
struct Facts {
  std::optional<std::string> kind;
  std::optional<std::string> full_name;
  std::optional<std::string> salutation;
  std::optional<std::string> job_title;
  std::optional<std::string> email;
  std::optional<std::string> phone;
  std::optional<std::string> language;
  std::optional<std::string> valid_from;
  std::optional<std::string> valid_to;
  std::optional<std::string> source;
  std::optional<std::string> last_confirmed;
  std::optional<int> order;
};

void AddFacts(CommandLine& line, CLI::App& command, Facts& facts) {
  const auto kinds = Words<ContactKind>();
  line.CompleteWith(command.add_option("--kind", facts.kind, "What kind of address: " + absl::StrJoin(kinds, ", ")), kinds);
  command.add_option("--full-name", facts.full_name, "As it is to be shown");
  command.add_option("--salutation", facts.salutation, "As it is to be written: \"Geachte mevrouw Jansen\"");
  command.add_option("--job-title", facts.job_title, "\"beleidsadviseur Wmo\"");
  command.add_option("--phone", facts.phone, "As it is to be dialled");
  command.add_option("--language", facts.language, "Language of mail, such as nl");
  command.add_option("--order", facts.order, "The lowest of a municipality is written to first");
  command.add_option("--valid-from", facts.valid_from, "First day it may be used, YYYY-MM-DD");
  command.add_option("--valid-to", facts.valid_to, "First day it may no longer be used, YYYY-MM-DD");
  command.add_option("--source", facts.source, "Where it came from; no personal data");
  command.add_option("--confirmed", facts.last_confirmed, "Last day somebody confirmed it, YYYY-MM-DD");
}

absl::Status SetFacts(const Facts& facts, Contact& contact) {
  if (facts.kind) {
    const auto kind = ParseWord<ContactKind>(*facts.kind);
    if (!kind.ok()) return kind.status();
    contact.set_kind(*kind);
  }
  if (facts.full_name) contact.set_full_name(*facts.full_name);
  if (facts.salutation) contact.set_salutation(*facts.salutation);
  if (facts.job_title) contact.set_job_title(*facts.job_title);
  if (facts.email) contact.set_email(*facts.email);
  if (facts.phone) contact.set_phone(*facts.phone);
  if (facts.language) contact.set_language(*facts.language);
  if (facts.valid_from) contact.set_valid_from(*facts.valid_from);
  if (facts.valid_to) contact.set_valid_to(*facts.valid_to);
  if (facts.source) contact.set_source(*facts.source);
  if (facts.last_confirmed) contact.set_last_confirmed(*facts.last_confirmed);
  if (facts.order) contact.set_order(*facts.order);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> AddOne(Session& session, const std::string& municipality, const Facts& facts) {
  const auto code = session.MunicipalityCode(municipality);
  if (!code.ok()) return code.status();
  fieldwork::v1::CreateContactRequest request;
  request.set_parent("municipalities/" + *code);
  request.mutable_contact()->set_kind(fieldwork::v1::CONTACT_KIND_PERSON);
  if (absl::Status set = SetFacts(facts, *request.mutable_contact()); !set.ok()) return set;
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Contacts::CreateContact, request);
  if (!response.ok()) return response.status();
  ShowContact(session, response->contact());
  return ExitCode::kOk;
}

// What the service sets itself is not to be sent back to it.
Contact AsGiven(const Contact& stored) {
  Contact given = stored;
  given.clear_created_at();
  given.clear_updated_at();
  given.clear_erased_at();
  given.clear_erased_by();
  given.clear_suppressed();
  return given;
}

absl::StatusOr<ExitCode> Change(Session& session, const std::string& name, const Facts& facts) {
  fieldwork::v1::GetContactRequest wanted;
  wanted.set_name(ContactName(name));
  const auto stored = session.connection().Call(&Contacts::GetContact, wanted);
  if (!stored.ok()) return stored.status();
  fieldwork::v1::UpdateContactRequest request;
  // With its etag: what somebody else changed meanwhile is not undone.
  *request.mutable_contact() = AsGiven(stored->contact());
  if (absl::Status set = SetFacts(facts, *request.mutable_contact()); !set.ok()) return set;
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Contacts::UpdateContact, request);
  if (!response.ok()) return response.status();
  ShowContact(session, response->contact());
  return ExitCode::kOk;
}

}  // namespace

void AddContactsAdd(CommandLine& line, CLI::App& group) {
  auto municipality = std::make_shared<std::string>();
  auto facts = std::make_shared<Facts>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "add",
       .description = "Add a contact; contacts import takes many",
       .examples = "  peilingctl contacts add Amersfoort --email a.jansen@amersfoort.nl --full-name \"Jansen, A.\" --wave 2026\n"
                   "  peilingctl contacts add GM0363 --kind general --email info@amsterdam.nl\n",
       .names = true},
      [=](Session& session) { return AddOne(session, *municipality, *facts); });
  command.add_option("MUNICIPALITY", *municipality, "Code or name")->required();
  command.add_option("--email", facts->email, "E-mail address")->required();
  AddFacts(line, command, *facts);
}

void AddContactsChange(CommandLine& line, CLI::App& group) {
  auto contact = std::make_shared<std::string>();
  auto facts = std::make_shared<Facts>();
  CLI::App& command = line.AddCommand(group,
                                      {.name = "change",
                                       .description = "Change what is said of a contact; what is not mentioned stays",
                                       .examples = "  peilingctl contacts change GM0363/3f2a --phone \"\" --confirmed 2026-03-02\n",
                                       .names = true},
                                      [=](Session& session) { return Change(session, *contact, *facts); });
  command.add_option("CONTACT", *contact, "GM0363/3f2a, or its full name")->required();
  command.add_option("--email", facts->email, "E-mail address");
  AddFacts(line, command, *facts);
}

}  // namespace peiling::ctl
