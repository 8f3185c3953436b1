// contacts list | show | add | change | import | export | erase: whom to write to at municipalities.
#include "services/ctl/commands/contacts.h"

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/interrupt.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Contact;

constexpr size_t kMaxFileBytes = 3 << 20;
constexpr std::chrono::minutes kImportTimeout(5);
// For its owner alone: it is full of personal data.
constexpr mode_t kOwnerAlone = 0600;

// "GM0363" of "municipalities/GM0363/contacts/3".
std::string MunicipalityOf(const std::string& contact) {
  const auto ids = names::Match(contact, "municipalities/*/contacts/*");
  return ids ? ids->front() : "";
}

std::string StateOf(const Contact& contact) {
  if (contact.has_erased_at()) return "erased";
  return contact.suppressed() ? "suppressed" : "";
}

Table ContactsTable() {
  return Table({{"MUNICIPALITY"},
                {"CONTACT"},
                {"ORDER", Align::kRight},
                {"KIND"},
                {"FULL NAME", Align::kLeft, true},
                {"EMAIL"},
                {"PHONE"},
                {"LAST CONFIRMED"},
                {"STATE"}});
}

void AddContact(const Contact& contact, Table& table) {
  table.Add({MunicipalityOf(contact.name()), names::LastId(contact.name()), int64_t{contact.order()}, Word(contact.kind()),
             contact.full_name(), contact.email(), contact.phone(), contact.last_confirmed(), StateOf(contact)});
}

absl::StatusOr<ExitCode> List(Session& session, const std::string& municipality, bool erased) {
  fieldwork::v1::ListContactsRequest request;
  request.set_parent("municipalities/-");
  request.set_show_erased(erased);
  if (!municipality.empty()) {
    const auto code = session.MunicipalityCode(municipality);
    if (!code.ok()) return code.status();
    request.set_parent("municipalities/" + *code);
  }
  const auto response = session.connection().CallAll(&Contacts::ListContacts, request);
  if (!response.ok()) return response.status();
  Table table = ContactsTable();
  std::vector<std::string> names;
  for (const Contact& contact : response->contacts()) {
    AddContact(contact, table);
    names.push_back(contact.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Show(Session& session, const std::string& name) {
  fieldwork::v1::GetContactRequest request;
  request.set_name(ContactName(name));
  const auto response = session.connection().Call(&Contacts::GetContact, request);
  if (!response.ok()) return response.status();
  ShowContact(session, response->contact());
  return ExitCode::kOk;
}

struct ImportOptions {
  std::string file;
  std::string source;
  std::string as_of;
  bool dry_run = false;
  bool all_or_nothing = false;
};

absl::StatusOr<ExitCode> Import(Session& session, const ImportOptions& options) {
  auto content = ReadFile(options.file, kMaxFileBytes);
  if (!content.ok()) return content.status();
  fieldwork::v1::ImportContactsRequest request;
  request.set_content(*std::move(content));
  request.set_source(options.source);
  request.set_as_of(options.as_of);
  request.set_dry_run(options.dry_run);
  request.set_all_or_nothing(options.all_or_nothing);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Contacts::ImportContacts, request, session.TimeoutOr(kImportTimeout));
  if (!response.ok()) return response.status();
  Table table({{"LINE", Align::kRight}, {"MUNICIPALITY"}, {"OUTCOME"}, {"CONTACT"}, {"PROBLEMS", Align::kLeft, true, true}});
  for (const auto& row : response->rows()) {
    // People want to know what is odd; programs get every row.
    if (session.output().people() && row.problems().empty()) continue;
    table.Add({row.line(), names::LastId(row.municipality()), Word(row.outcome()), row.contact(), absl::StrJoin(row.problems(), "; ")});
  }
  const std::string summary =
      absl::StrCat(response->total(), " rows", options.dry_run ? " checked" : "", ": ", response->added(), " added, ", response->updated(),
                   " updated, ", response->unchanged(), " unchanged, ", response->refused(), " refused\n");
  const std::string rows = table.empty() ? "" : table.ToText(session.output().out_terminal()) + "\n";
  session.output().Show(*response, rows + summary, table);
  return response->refused() > 0 ? ExitCode::kNo : ExitCode::kOk;
}

absl::Status Export(Session& session, std::ostream& out) {
  grpc::ClientContext context;
  session.SetDeadlineIfAsked(context);
  CancelOnInterrupt interrupt(context);
  const auto stream = session.connection().stub<Contacts>().ExportContacts(&context, {});
  fieldwork::v1::ExportContactsResponse piece;
  while (stream->Read(&piece)) out << piece.content();
  return status::FromGrpc(stream->Finish());
}

absl::StatusOr<ExitCode> ExportTo(Session& session, const std::string& path) {
  auto file = WholeFile::Create(path, kOwnerAlone);
  if (!file.ok()) return file.status();
  if (absl::Status exported = Export(session, (*file)->out()); !exported.ok()) return exported;
  if (absl::Status kept = (*file)->Keep(); !kept.ok()) return kept;
  session.output().Note(absl::StrCat("written to ", path, "; it holds personal data"));
  return ExitCode::kOk;
}

struct EraseOptions {
  std::string contact;
  std::string reason;
  bool keep_answers = false;
  bool yes = false;
};

absl::StatusOr<ExitCode> Erase(Session& session, const EraseOptions& options) {
  if (!options.yes) return UsageError("this cannot be undone; say --yes when it is meant");
  fieldwork::v1::EraseContactRequest request;
  request.set_name(ContactName(options.contact));
  request.set_reason(options.reason);
  request.set_keep_answers(options.keep_answers);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Contacts::EraseContact, request);
  if (!response.ok()) return response.status();
  Table table({{"ERASED"}, {"WHEN"}, {"PERSONAL ANSWERS OF", Align::kLeft, true, true}});
  table.Add({response->contact().name(), Moment(response->contact().erased_at()), absl::StrJoin(response->responses(), " ")});
  session.output().Show(*response, table, {response->contact().name()});
  return ExitCode::kOk;
}

void AddContactsImport(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App& command = line.AddCommand(group,
                                      {.name = "import",
                                       .description = "Take contacts in from CSV; doing it twice adds nothing",
                                       .examples = "  peilingctl contacts import contacten.csv --dry-run     check only, with a report\n"
                                                   "  peilingctl contacts import contacten.csv --source \"ledenbestand 2026\"\n"
                                                   "Columns: services/fieldwork/contacts/README.md. Exit code 1 when rows were refused.\n"},
                                      [options](Session& session) { return Import(session, *options); });
  line.CompleteFiles(command.add_option("FILE", options->file, "CSV, UTF-8; - for standard input")->required());
  command.add_option("--source", options->source, "Where it came from, for rows that do not say; no personal data");
  command.add_option("--as-of", options->as_of, "Day on which municipalities are meant, YYYY-MM-DD; by default today");
  command.add_flag("--dry-run", options->dry_run, "Check only; nothing is stored");
  command.add_flag("--all-or-nothing", options->all_or_nothing, "Store nothing when any row has errors");
}

void AddContactsErase(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<EraseOptions>();
  CLI::App& command = line.AddCommand(group,
                                      {.name = "erase",
                                       .description = "Erase a contact for ever, with the personal answers given on its invitations",
                                       .examples = "  peilingctl contacts erase GM0363/3 --reason \"verzoek van 3 mei\" --yes\n",
                                       .names = true},
                                      [options](Session& session) { return Erase(session, *options); });
  command.add_option("CONTACT", options->contact, "GM0363/3, or its full name")->required();
  command.add_option("--reason", options->reason, "Why; no personal data");
  command.add_flag("--keep-answers", options->keep_answers, "Leave personal answers in responses as they are");
  command.add_flag("--yes", options->yes, "It is meant: this cannot be undone");
}

}  // namespace

std::string ContactName(const std::string& text) {
  if (absl::StartsWith(text, "municipalities/")) return text;
  const auto ids = names::Match("x/" + text, "x/*/*");
  return ids ? absl::StrCat("municipalities/", (*ids)[0], "/contacts/", (*ids)[1]) : text;
}

void ShowContact(Session& session, const Contact& contact) {
  Table table({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&table](const std::string& fact, Cell value) {
    if (!value.text.empty()) table.Add({fact, std::move(value)});
  };
  add("contact", contact.name());
  add("kind", Word(contact.kind()));
  add("order", int64_t{contact.order()});
  add("full name", contact.full_name());
  add("salutation", contact.salutation());
  add("job title", contact.job_title());
  add("email", contact.email());
  add("phone", contact.phone());
  add("language", contact.language());
  add("valid from", contact.valid_from());
  add("valid to", contact.valid_to());
  add("source", contact.source());
  add("last confirmed", contact.last_confirmed());
  add("created", Moment(contact.created_at()));
  add("updated", Moment(contact.updated_at()));
  add("erased", Moment(contact.erased_at()));
  add("erased by", contact.erased_by());
  add("state", StateOf(contact));
  session.output().Show(contact, table, {contact.name()});
}

void AddContacts(CommandLine& line) {
  CLI::App& group = line.AddGroup("contacts", "Whom to write to at municipalities; personal data");
  auto municipality = std::make_shared<std::string>();
  auto erased = std::make_shared<bool>(false);
  CLI::App& list =
      line.AddCommand(group,
                      {.name = "list",
                       .description = "List contacts in the order they are written to",
                       .examples = "  peilingctl contacts list\n  peilingctl contacts list --municipality Amersfoort --wave 2026\n",
                       .names = true},
                      [=](Session& session) { return List(session, *municipality, *erased); });
  list.add_option("--municipality", *municipality, "Only of this one: code or name");
  list.add_flag("--erased", *erased, "Erased ones, too");

  auto shown = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "show", .description = "Show a contact", .examples = "  peilingctl contacts show GM0363/3\n", .names = true},
                  [shown](Session& session) { return Show(session, *shown); })
      .add_option("CONTACT", *shown, "GM0363/3, or its full name")
      ->required();
  AddContactsAdd(line, group);
  AddContactsChange(line, group);
  AddContactsImport(line, group);

  auto path = std::make_shared<std::string>();
  line.CompleteFiles(line.AddCommand(group,
                                     {.name = "export",
                                      .description = "Write all contacts as CSV that can be imported again",
                                      .examples = "  peilingctl contacts export contacten.csv\n"},
                                     [path](Session& session) { return ExportTo(session, *path); })
                         .add_option("FILE", *path, "CSV, for its owner's eyes alone")
                         ->required());
  AddContactsErase(line, group);
}

}  // namespace peiling::ctl
