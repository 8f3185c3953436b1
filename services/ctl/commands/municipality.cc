// municipality resolve | show | list | lineage: the registry.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using registry::v1::Municipality;
using registry::v1::Resolution;

constexpr size_t kTextsAtOnce = 1000;

struct ResolveOptions {
  std::vector<std::string> texts;
  std::string as_of;
};

bool IsUnderstood(const Resolution& resolution) {
  return resolution.kind() == registry::v1::RESOLUTION_KIND_EXACT || resolution.kind() == registry::v1::RESOLUTION_KIND_CORRECTED ||
         resolution.kind() == registry::v1::RESOLUTION_KIND_SEVERAL;
}

absl::StatusOr<ExitCode> Resolve(Session& session, const ResolveOptions& options) {
  registry::v1::BatchResolveMunicipalitiesResponse all;
  for (size_t begin = 0; begin < options.texts.size(); begin += kTextsAtOnce) {
    registry::v1::BatchResolveMunicipalitiesRequest request;
    request.set_as_of(options.as_of);
    for (size_t i = begin; i < std::min(begin + kTextsAtOnce, options.texts.size()); ++i) request.add_texts(options.texts[i]);
    const auto response = session.connection().Call(&Registry::BatchResolveMunicipalities, request);
    if (!response.ok()) return response.status();
    all.MergeFrom(*response);
  }
  Table table({{"TEXT", Align::kLeft, true},
               {"OUTCOME"},
               {"CODES"},
               {"NAMES", Align::kLeft, true},
               {"CANDIDATES"},
               {"WHY", Align::kLeft, true, true}});
  bool understood = true;
  for (const Resolution& resolution : all.resolutions()) {
    understood = understood && IsUnderstood(resolution);
    std::vector<std::string> candidates(resolution.candidates().begin(), resolution.candidates().end());
    candidates.insert(candidates.end(), resolution.successors().begin(), resolution.successors().end());
    table.Add({resolution.text(), Cell(Word(resolution.kind()), IsUnderstood(resolution) ? Style::kGood : Style::kWarning),
               absl::StrJoin(resolution.codes(), " "), absl::StrJoin(resolution.titles(), ", "), absl::StrJoin(candidates, " "),
               resolution.explanation()});
  }
  session.output().Show(all, table);
  return understood ? ExitCode::kOk : ExitCode::kNo;
}

struct ShowOptions {
  std::string municipality;
  std::string as_of;
};

// "GM0363", or any spelling of one municipality, former ones too.
absl::StatusOr<std::string> CodeOf(Session& session, const ShowOptions& options) {
  const std::string& text = options.municipality;
  if (absl::StartsWith(text, "municipalities/")) return text.substr(text.find('/') + 1);
  if (text.size() == 6 && absl::StartsWith(text, "GM")) return text;
  registry::v1::ResolveMunicipalityRequest request;
  request.set_text(text);
  request.set_as_of(options.as_of);
  const auto response = session.connection().Call(&Registry::ResolveMunicipality, request);
  if (!response.ok()) return response.status();
  const Resolution& resolution = response->resolution();
  if (resolution.codes_size() == 1) return resolution.codes(0);
  std::vector<std::string> maybe(resolution.codes().begin(), resolution.codes().end());
  maybe.insert(maybe.end(), resolution.candidates().begin(), resolution.candidates().end());
  return status::Error(absl::StatusCode::kNotFound, "MUNICIPALITY_NOT_FOUND",
                       absl::StrCat("\"", text, "\": ", resolution.explanation(),
                                    maybe.empty() ? "" : absl::StrCat(" (", absl::StrJoin(maybe, ", "), "?)")));
}

Table FactsTable(const Municipality& municipality) {
  Table table({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&](const std::string& fact, const std::string& value) {
    if (!value.empty()) table.Add({fact, value});
  };
  const auto& facts = municipality.facts();
  add("code", municipality.code());
  add("name", municipality.title());
  add("province", municipality.province());
  add("exists from", municipality.valid_from());
  add("until", municipality.valid_to());
  add("taken over by", absl::StrJoin(municipality.successors(), " "));
  add("took over", absl::StrJoin(municipality.predecessors(), " "));
  add("also called", absl::StrJoin(municipality.aliases(), ", "));
  if (municipality.has_facts()) {
    add("on", facts.as_of());
    if (facts.inhabitants() > 0) add("inhabitants", absl::StrCat(facts.inhabitants(), " (counted on ", facts.inhabitants_date(), ")"));
    add("size class", Word(facts.size_class()));
    add("groups", absl::StrJoin(facts.groups(), " "));
  }
  return table;
}

absl::StatusOr<ExitCode> Show(Session& session, const ShowOptions& options) {
  const auto code = CodeOf(session, options);
  if (!code.ok()) return code.status();
  registry::v1::GetMunicipalityRequest request;
  request.set_name("municipalities/" + *code);
  request.set_as_of(options.as_of);
  const auto response = session.connection().Call(&Registry::GetMunicipality, request);
  if (!response.ok()) return response.status();
  session.output().Show(response->municipality(), FactsTable(response->municipality()), {response->municipality().name()});
  return ExitCode::kOk;
}

struct ListOptions {
  std::string as_of;
  std::string province;
  std::string size_class;
  std::string group;
};

absl::StatusOr<ExitCode> List(Session& session, const ListOptions& options) {
  const auto size_class = ParseWord<survey::v1::SizeClass>(options.size_class);
  if (!size_class.ok()) return size_class.status();
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(options.as_of);
  request.set_province(options.province);
  request.set_size_class(*size_class);
  request.set_group(options.group);
  auto response = session.connection().CallAll(&Registry::ListMunicipalities, request);
  if (!response.ok()) return response.status();
  Table table({{"CODE"},
               {"NAME", Align::kLeft, true},
               {"PROVINCE"},
               {"FROM"},
               {"UNTIL"},
               {"INHABITANTS", Align::kRight},
               {"SIZE CLASS"},
               {"GROUPS"}});
  std::vector<std::string> names;
  for (const Municipality& municipality : response->municipalities()) {
    const auto& facts = municipality.facts();
    table.Add({municipality.code(), municipality.title(), municipality.province(), municipality.valid_from(), municipality.valid_to(),
               facts.inhabitants() > 0 ? Cell(facts.inhabitants()) : Cell(""), Word(facts.size_class()),
               absl::StrJoin(facts.groups(), " ")});
    names.push_back(municipality.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

struct LineageOptions {
  std::vector<std::string> codes;
  std::string from;
  std::string to;
};

absl::StatusOr<ExitCode> Lineage(Session& session, const LineageOptions& options) {
  registry::v1::TraceLineageRequest request;
  *request.mutable_codes() = {options.codes.begin(), options.codes.end()};
  request.set_from(options.from);
  request.set_to(options.to);
  const auto response = session.connection().Call(&Registry::TraceLineage, request);
  if (!response.ok()) return response.status();
  Table table({{"ON " + options.from}, {"ON " + options.to}});
  for (const auto& lineage : response->lineages()) table.Add({lineage.code(), absl::StrJoin(lineage.codes(), " ")});
  session.output().Show(*response, table);
  return ExitCode::kOk;
}

void AddAsOf(CLI::App& command, std::string& as_of, const std::string& otherwise) {
  command.add_option("--as-of", as_of, "On this day, YYYY-MM-DD; by default " + otherwise);
}

}  // namespace

void AddMunicipality(CommandLine& line) {
  CLI::App& group = line.AddGroup("municipality", "Municipalities through time");

  auto resolve = std::make_shared<ResolveOptions>();
  CLI::App& resolve_command = line.AddCommand(group,
                                              {.name = "resolve",
                                               .description = "Say which municipality a text means; exit code 1 when one is not understood",
                                               .examples = "  peilingctl municipality resolve \"gem. Nissewaard\" \"Alphen a/d Rijn\"\n"
                                                           "  peilingctl municipality resolve Weesp --as-of 2022-03-24\n"},
                                              [resolve](Session& session) { return Resolve(session, *resolve); });
  resolve_command.add_option("TEXT", resolve->texts, "As typed")->required();
  AddAsOf(resolve_command, resolve->as_of, "today");

  auto show = std::make_shared<ShowOptions>();
  CLI::App& show_command =
      line.AddCommand(group,
                      {.name = "show",
                       .description = "Show a municipality",
                       .examples = "  peilingctl municipality show GM0363\n  peilingctl municipality show Amsterdam --as-of 2022-03-24\n",
                       .names = true},
                      [show](Session& session) { return Show(session, *show); });
  show_command.add_option("MUNICIPALITY", show->municipality, "Code or name")->required();
  AddAsOf(show_command, show->as_of, "today");

  auto list = std::make_shared<ListOptions>();
  CLI::App& list_command =
      line.AddCommand(group,
                      {.name = "list",
                       .description = "List municipalities",
                       .examples = "  peilingctl municipality list --as-of 2022-03-24                   the frame of the 2022 wave\n"
                                   "  peilingctl municipality list --as-of 2022-03-24 --group G40\n"
                                   "  peilingctl municipality list --province Utrecht --as-of 2022-03-24 -o csv\n",
                       .names = true},
                      [list](Session& session) { return List(session, *list); });
  AddAsOf(list_command, list->as_of, "all there ever were");
  list_command.add_option("--province", list->province, "Only in this province");
  line.CompleteWith(list_command.add_option("--size-class", list->size_class,
                                            "Only of this class on the day: " + absl::StrJoin(Words<survey::v1::SizeClass>(), ", ")),
                    Words<survey::v1::SizeClass>());
  line.CompleteWith(list_command.add_option("--group", list->group, "Only members on the day"), {"G4", "G40"});

  auto lineage = std::make_shared<LineageOptions>();
  CLI::App& lineage_command =
      line.AddCommand(group,
                      {.name = "lineage",
                       .description = "Show what became of municipalities between two days",
                       .examples = "  peilingctl municipality lineage GM0457 --from 2022-01-01 --to 2022-03-24\n"
                                   "  peilingctl municipality lineage --from 2014-01-01 --to 2022-03-24 -o csv      all of them\n"},
                      [lineage](Session& session) { return Lineage(session, *lineage); });
  lineage_command.add_option("CODE", lineage->codes, "Codes on --from; without any, all of them");
  lineage_command.add_option("--from", lineage->from, "Day, YYYY-MM-DD")->required();
  lineage_command.add_option("--to", lineage->to, "Day, YYYY-MM-DD; before --from traces back")->required();
}

}  // namespace peiling::ctl
