// audit list: who did what.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using access::v1::AuditEntry;

constexpr int kMostEntries = 100'000;
constexpr int kPageSize = 1000;

struct ListOptions {
  access::v1::ListAuditEntriesRequest request;
  std::string since;
  std::string until;
  int limit = 100;
};

absl::StatusOr<access::v1::ListAuditEntriesRequest> RequestOf(const ListOptions& options) {
  access::v1::ListAuditEntriesRequest request = options.request;
  if (!options.since.empty()) {
    auto since = ParseMoment(options.since, Direction::kAgo);
    if (!since.ok()) return since.status();
    *request.mutable_since() = *std::move(since);
  }
  if (!options.until.empty()) {
    auto until = ParseMoment(options.until, Direction::kAgo);
    if (!until.ok()) return until.status();
    *request.mutable_until() = *std::move(until);
  }
  return request;
}

Style StyleOf(const AuditEntry& entry) {
  if (entry.result() == "OK") return Style::kPlain;
  return entry.result() == "PERMISSION_DENIED" || entry.result() == "UNAUTHENTICATED" ? Style::kBad : Style::kWarning;
}

// For people the method without its service; how many calls only where it is not one.
std::string TableOf(const access::v1::ListAuditEntriesResponse& response, const Terminal& terminal) {
  Table table({{"TIME"}, {"WHO"}, {"ACTION"}, {"OBJECT", Align::kLeft, true, true}, {"RESULT"}, {"REASON"}, {"FROM"}});
  for (const AuditEntry& entry : response.entries()) {
    table.Add({MomentToTheSecond(entry.time()), entry.subject(), names::LastId(entry.action()), entry.object(),
               Cell(entry.count() > 1 ? absl::StrCat(entry.result(), " (", entry.count(), " times)") : entry.result(), StyleOf(entry)),
               entry.reason(), entry.origin()});
  }
  return table.ToText(terminal);
}

Table CsvOf(const access::v1::ListAuditEntriesResponse& response) {
  Table table({{"TIME"},
               {"SUBJECT"},
               {"CREDENTIAL"},
               {"ACTION"},
               {"OBJECT"},
               {"RESULT"},
               {"REASON"},
               {"ORIGIN"},
               {"REQUEST ID"},
               {"COUNT"},
               {"NAME"}});
  for (const AuditEntry& entry : response.entries()) {
    table.Add({google::protobuf::util::TimeUtil::ToString(entry.time()), entry.subject(), Word(entry.credential()), entry.action(),
               entry.object(), entry.result(), entry.reason(), entry.origin(), entry.request_id(), entry.count(), entry.name()});
  }
  return table;
}

absl::StatusOr<ExitCode> List(Session& session, const ListOptions& options) {
  auto request = RequestOf(options);
  if (!request.ok()) return request.status();
  access::v1::ListAuditEntriesResponse all;
  do {
    request->set_page_size(std::min(options.limit - all.entries_size(), kPageSize));
    const auto page = session.connection().Call(&Access::ListAuditEntries, *request);
    if (!page.ok()) return page.status();
    request->set_page_token(page->next_page_token());
    all.MergeFrom(*page);
  } while (!request->page_token().empty() && all.entries_size() < options.limit);
  all.set_next_page_token(request->page_token());

  std::vector<std::string> names;
  for (const AuditEntry& entry : all.entries()) names.push_back(entry.name());
  Output& output = session.output();
  output.Show(all, output.people() ? TableOf(all, output.out_terminal()) : "", CsvOf(all), names);
  if (!all.next_page_token().empty())
    output.Note(absl::StrCat("these are the latest ", options.limit, "; there are more (--limit, --until)"));
  return ExitCode::kOk;
}

}  // namespace

void AddAudit(CommandLine& line) {
  CLI::App& group = line.AddGroup("audit", "The log of who did what");
  auto options = std::make_shared<ListOptions>();
  CLI::App& command =
      line.AddCommand(group,
                      {.name = "list",
                       .description = "List what was done and refused, the latest first",
                       .examples = "  peilingctl audit list --since 24h\n"
                                   "  peilingctl audit list --subject keys/5f2c9e01d4a7b386            what this key did\n"
                                   "  peilingctl audit list --object surveys/a/waves/2024              what was done to this wave\n"
                                   "  peilingctl audit list --action CreateKey --since 2026-01-01\n"
                                   "  peilingctl audit list --result PERMISSION_DENIED --limit 10000 -o csv > refused.csv\n",
                       .names = true},
                      [options](Session& session) { return List(session, *options); });
  const auto add = [&](const char* flag, std::string* (access::v1::ListAuditEntriesRequest::*field)(), const char* description) {
    return command.add_option(flag, *(options->request.*field)(), description);
  };
  command.add_option("--since", options->since, "Not before: 24h, 7d (ago), a day such as 2026-11-22, or \"2026-11-22 10:15\"");
  command.add_option("--until", options->until, "Before: the same");
  add("--subject", &access::v1::ListAuditEntriesRequest::mutable_subject, "By this caller, as `peilingctl whoami` calls it");
  add("--action", &access::v1::ListAuditEntriesRequest::mutable_action, "Of this method, e.g. CreateRuling");
  add("--object", &access::v1::ListAuditEntriesRequest::mutable_object, "About this, and all that lies below it");
  line.CompleteWith(add("--result", &access::v1::ListAuditEntriesRequest::mutable_result, "With this result, e.g. PERMISSION_DENIED"),
                    {"OK", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "RESOURCE_EXHAUSTED"});
  command.add_option("--limit", options->limit, "At most this many")->check(CLI::Range(1, kMostEntries))->capture_default_str();
}

}  // namespace peiling::ctl
