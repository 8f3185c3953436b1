// cases list | show | rule | rulings | retract: what belongs together, and what a researcher decides about it.

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/await.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/decisions.h"
#include "services/ctl/commands/rulings_file.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

struct ListOptions {
  std::string state;
  bool several = false;
  bool contradicting = false;
};

Style StyleOf(dedup::v1::CaseState state) { return state == dedup::v1::CASE_STATE_WAITING ? Style::kWarning : Style::kPlain; }

absl::StatusOr<ExitCode> ListCases(Session& session, const ListOptions& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto state = ParseWord<dedup::v1::CaseState>(options.state);
  if (!state.ok()) return state.status();
  dedup::v1::ListCasesRequest request;
  request.set_parent(*wave);
  request.set_state(*state);
  request.set_several_responses(options.several);
  request.set_contradicting(options.contradicting);
  const auto response = session.connection().CallAll(&Dedup::ListCases, request);
  if (!response.ok()) return response.status();
  Table table({{"CASE"},
               {"STATE"},
               {"MUNICIPALITY", Align::kLeft, true},
               {"RESPONSES", Align::kRight},
               {"KEPT"},
               {"CONTRADICTIONS", Align::kRight}});
  std::vector<std::string> names;
  for (const auto& item : response->cases()) {
    const bool decided = item.state() == dedup::v1::CASE_STATE_DECIDED && !item.decisions().empty();
    table.Add({names::LastId(item.name()), Cell(Word(item.state()), StyleOf(item.state())), absl::StrJoin(item.titles(), ", "),
               int64_t{item.decisions_size()}, decided ? names::LastId(item.decisions(0).response()) : "",
               item.contradictions().empty() ? Cell("") : Cell(int64_t{item.contradictions_size()})});
    names.push_back(item.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

Table ContradictionTable(const dedup::v1::Contradiction& contradiction, const survey::v1::Questionnaire& questionnaire) {
  // Answers wrap: two that begin alike would be cut to the same.
  Table table({{"QUESTION"},
               {"TITLE", Align::kLeft, true},
               {names::LastId(contradiction.kept()) + " (KEPT)", Align::kLeft, true, true},
               {names::LastId(contradiction.other()), Align::kLeft, true, true}});
  for (const auto& answer : contradiction.answers()) {
    const survey::v1::Question* question = FindQuestion(questionnaire, answer.question());
    table.Add({answer.question(), question == nullptr ? "" : question->title(), AnswerText(question, answer.kept()),
               AnswerText(question, answer.other())});
  }
  return table;
}

// "GM0363", "GM0373-GM0893", a full name, or a municipality's name.
absl::StatusOr<std::string> CaseName(Session& session, const std::string& text) {
  if (absl::StartsWith(text, "GM") || absl::StartsWith(text, "surveys/")) return session.Below("cases", text);
  const auto code = session.MunicipalityCode(text);
  if (!code.ok()) return code.status();
  return session.Below("cases", *code);
}

absl::StatusOr<ExitCode> ShowCase(Session& session, const std::string& text) {
  const auto name = CaseName(session, text);
  if (!name.ok()) return name.status();
  dedup::v1::GetCaseRequest request;
  request.set_name(*name);
  const auto response = session.connection().Call(&Dedup::GetCase, request);
  if (!response.ok()) return response.status();
  const auto& found = response->survey_case();
  Output& output = session.output();
  if (!output.people()) {
    output.Show(found, DecisionsTable(found.decisions()));
    return ExitCode::kOk;
  }
  output.Write(absl::StrCat(Styled(Printable(absl::StrJoin(found.titles(), ", ")), Style::kStrong, output.out_terminal()), "  (",
                            names::LastId(found.name()), ")  ", Styled(Word(found.state()), StyleOf(found.state()), output.out_terminal()),
                            "\n\n", DecisionsTable(found.decisions()).ToText(output.out_terminal())));
  if (!found.contradictions().empty()) {
    const auto questionnaire = session.Questionnaire();
    if (!questionnaire.ok()) return questionnaire.status();
    for (const auto& contradiction : found.contradictions()) {
      output.Write("\nEqually complete, and they say different things:\n" +
                   ContradictionTable(contradiction, *questionnaire).ToText(output.out_terminal()));
    }
  }
  if (found.state() == dedup::v1::CASE_STATE_WAITING) {
    output.Note(absl::StrCat("decide with: peilingctl cases rule RESPONSE --assign ", absl::StrJoin(found.municipality_codes(), "|"),
                             " --reason …"));
  }
  return ExitCode::kOk;
}

struct RuleOptions {
  std::string response;
  std::string assign;
  std::string keep;
  std::vector<std::string> split;
  bool exclude = false;
  std::string file;
  std::string reason;
  std::string by;
  bool no_wait = false;
};

absl::StatusOr<dedup::v1::Ruling> RulingFromFlags(Session& session, const RuleOptions& options) {
  const int decisions = !options.assign.empty() + !options.keep.empty() + !options.split.empty() + options.exclude;
  if (decisions != 1) return UsageError("say one of --assign, --keep, --exclude and --split, or -f FILE");
  if (options.reason.empty()) return UsageError("--reason is required: others must be able to see why");
  dedup::v1::Ruling ruling;
  ruling.set_reason(options.reason);
  const auto response = session.Below("responses", options.response);
  if (!response.ok()) return response.status();
  ruling.set_response(*response);
  if (options.exclude) ruling.mutable_exclude();
  if (!options.assign.empty() || !options.keep.empty()) {
    const auto code = session.MunicipalityCode(options.assign.empty() ? options.keep : options.assign);
    if (!code.ok()) return code.status();
    if (options.assign.empty()) {
      ruling.mutable_keep()->set_municipality_code(*code);
    } else {
      ruling.mutable_assign()->set_municipality_code(*code);
    }
  }
  for (const std::string& text : options.split) {
    const auto code = session.MunicipalityCode(text);
    if (!code.ok()) return code.status();
    ruling.mutable_split()->add_municipality_codes(*code);
  }
  return ruling;
}

std::string DecisionText(const dedup::v1::Ruling& ruling) {
  switch (ruling.decision_case()) {
    case dedup::v1::Ruling::kAssign:
      return "assign " + ruling.assign().municipality_code();
    case dedup::v1::Ruling::kKeep:
      return "keep for " + ruling.keep().municipality_code();
    case dedup::v1::Ruling::kExclude:
      return "exclude";
    case dedup::v1::Ruling::kSplit:
      return "split " + absl::StrJoin(ruling.split().municipality_codes(), " ");
    case dedup::v1::Ruling::DECISION_NOT_SET:
      break;
  }
  return "";
}

Table RulingsTable() {
  return Table({{"RULING"}, {"RESPONSE"}, {"DECISION"}, {"BY"}, {"AT"}, {"STATE"}, {"REASON", Align::kLeft, true, true}});
}

void AddRuling(const dedup::v1::Ruling& ruling, const std::string& state, Style style, Table& table) {
  table.Add({names::LastId(ruling.name()), names::LastId(ruling.response()), DecisionText(ruling), ruling.ruled_by(),
             Moment(ruling.ruled_at()), Cell(state, style),
             ruling.has_retracted_at() ? absl::StrCat(ruling.reason(), " / ", ruling.retraction_reason()) : ruling.reason()});
}

bool SaysTheSame(const dedup::v1::Ruling& a, const dedup::v1::Ruling& b) {
  return a.response() == b.response() && DecisionText(a) == DecisionText(b);
}

// The rulings there are, to tell what is new from what stands already.
struct Standing {
  const dedup::v1::Ruling* same = nullptr;
  // How often this very ruling was made and taken back: making it again is then a new request.
  int retracted = 0;
};

Standing FindStanding(const dedup::v1::ListRulingsResponse& rulings, const dedup::v1::Ruling& ruling) {
  Standing standing;
  for (const auto& made : rulings.rulings()) {
    if (!SaysTheSame(made, ruling)) continue;
    if (made.has_retracted_at()) {
      ++standing.retracted;
    } else {
      standing.same = &made;
    }
  }
  return standing;
}

// Makes what does not stand yet. A conflict does not keep the others from being made; the first one is returned after all were tried.
absl::StatusOr<ExitCode> MakeRulings(Session& session, const std::string& wave, std::vector<dedup::v1::Ruling> rulings,
                                     const RuleOptions& options) {
  dedup::v1::ListRulingsRequest list;
  list.set_parent(wave);
  const auto made = session.connection().CallAll(&Dedup::ListRulings, list);
  if (!made.ok()) return made.status();

  Table table = RulingsTable();
  dedup::v1::ListRulingsResponse result;
  survey::v1::FeedPosition position;
  absl::Status conflict;
  for (dedup::v1::Ruling& ruling : rulings) {
    const Standing standing = FindStanding(*made, ruling);
    if (standing.same != nullptr) {
      AddRuling(*standing.same, "unchanged", Style::kFaint, table);
      *result.add_rulings() = *standing.same;
      continue;
    }
    ruling.set_ruled_by(options.by);
    dedup::v1::CreateRulingRequest request;
    request.set_parent(wave);
    *request.mutable_ruling() = ruling;
    request.set_request_id(DerivedRequestId(
        {wave, ruling.response(), DecisionText(ruling), ruling.reason(), ruling.ruled_by(), absl::StrCat(standing.retracted)}));
    const auto response = session.connection().Call(&Dedup::CreateRuling, request);
    if (absl::IsAlreadyExists(response.status())) {
      if (conflict.ok()) conflict = response.status();
      AddRuling(ruling, "conflict", Style::kBad, table);
      continue;
    }
    if (!response.ok()) return response.status();
    AddRuling(response->ruling(), "made", Style::kGood, table);
    *result.add_rulings() = response->ruling();
    position = response->position();
  }
  session.output().Show(result, table);
  if (!conflict.ok()) return conflict;
  if (position.records() > 0 && !options.no_wait) {
    const absl::Status counted = AwaitCounted(session, wave, position, session.TimeoutOr(kAwaitTimeout));
    if (!counted.ok()) return counted;
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Rule(Session& session, const RuleOptions& options) {
  if (options.file.empty() == options.response.empty()) return UsageError("say which RESPONSE the ruling is about, or -f FILE for many");
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  if (!options.file.empty()) {
    auto rulings = ReadRulings(options.file, *wave);
    if (!rulings.ok()) return rulings.status();
    return MakeRulings(session, *wave, *std::move(rulings), options);
  }
  auto ruling = RulingFromFlags(session, options);
  if (!ruling.ok()) return ruling.status();
  return MakeRulings(session, *wave, {*std::move(ruling)}, options);
}

absl::StatusOr<ExitCode> ListRulings(Session& session) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  dedup::v1::ListRulingsRequest request;
  request.set_parent(*wave);
  const auto response = session.connection().CallAll(&Dedup::ListRulings, request);
  if (!response.ok()) return response.status();
  Table table = RulingsTable();
  std::vector<std::string> names;
  for (const auto& ruling : response->rulings()) {
    const bool retracted = ruling.has_retracted_at();
    AddRuling(ruling, retracted ? "retracted" : "stands", retracted ? Style::kFaint : Style::kPlain, table);
    names.push_back(ruling.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

struct RetractOptions {
  std::string ruling;
  std::string reason;
  std::string by;
  bool no_wait = false;
};

absl::StatusOr<ExitCode> Retract(Session& session, const RetractOptions& options) {
  const auto name = session.Below("rulings", options.ruling);
  if (!name.ok()) return name.status();
  dedup::v1::RetractRulingRequest request;
  request.set_name(*name);
  request.set_reason(options.reason);
  request.set_retracted_by(options.by);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Dedup::RetractRuling, request);
  if (!response.ok()) return response.status();
  Table table = RulingsTable();
  AddRuling(response->ruling(), "retracted", Style::kGood, table);
  session.output().Show(response->ruling(), table, {response->ruling().name()});
  if (options.no_wait) return ExitCode::kOk;
  const absl::Status counted = AwaitCounted(session, names::WaveOf(*name), response->position(), session.TimeoutOr(kAwaitTimeout));
  if (!counted.ok()) return counted;
  return ExitCode::kOk;
}

void AddBy(CLI::App& command, std::string& by) {
  command.add_option("--by", by, "Who decides; by default whoever is let in (`peilingctl whoami`)")->envname("PEILING_USER");
}

}  // namespace

void AddCases(CommandLine& line) {
  CLI::App& group = line.AddGroup("cases", "Responses that belong together, and rulings about them");

  auto list = std::make_shared<ListOptions>();
  CLI::App& list_command =
      line.AddCommand(group,
                      {.name = "list",
                       .description = "List cases",
                       .examples = "  peilingctl cases list --state waiting        those that need a ruling\n"
                                   "  peilingctl cases list --contradicting        equally complete responses that differ\n"
                                   "  peilingctl cases list --several -o csv       municipalities with more than one response\n",
                       .names = true},
                      [list](Session& session) { return ListCases(session, *list); });
  line.CompleteWith(
      list_command.add_option("--state", list->state, "Only in this state: " + absl::StrJoin(Words<dedup::v1::CaseState>(), ", ")),
      Words<dedup::v1::CaseState>());
  list_command.add_flag("--several", list->several, "Only with more than one response");
  list_command.add_flag("--contradicting", list->contradicting, "Only with equally complete responses that say different things");

  auto shown = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "show",
                   .description = "Show a case: its responses, what became of each and why, and contradictions",
                   .examples = "  peilingctl cases show GM0363\n  peilingctl cases show Amsterdam\n  peilingctl cases show GM0373-GM0893   "
                               "  an ambiguous name\n"},
                  [shown](Session& session) { return ShowCase(session, *shown); })
      .add_option("CASE", *shown, "Code or name of a municipality, or the case of an ambiguous name")
      ->required();

  auto rule = std::make_shared<RuleOptions>();
  CLI::App& rule_command = line.AddCommand(
      group,
      {.name = "rule",
       .description = "Decide about a response, or about many from a file",
       .examples = "  peilingctl cases rule 101 --assign GM0373 --reason \"asked them\"       it is for this municipality\n"
                   "  peilingctl cases rule 104 --keep Zwolle --reason \"the final one\"      the one to keep\n"
                   "  peilingctl cases rule 105 --exclude --reason \"a trial\"                it does not count\n"
                   "  peilingctl cases rule 106 --split GM0388,GM0532 --reason \"joint\"      one record each\n"
                   "  peilingctl cases rule -f rulings.csv                                  response_id,municipality_code,reason\n"
                   "A file assigns each response to its municipality; several codes with spaces between them split it. Running it twice "
                   "changes nothing.\n"},
      [rule](Session& session) { return Rule(session, *rule); });
  rule_command.add_option("RESPONSE", rule->response, "Id of the response");
  rule_command.add_option("--assign", rule->assign, "It is for this municipality");
  rule_command.add_option("--keep", rule->keep, "It is the one to keep for this municipality, however complete others are");
  rule_command.add_flag("--exclude", rule->exclude, "It does not count");
  rule_command.add_option("--split", rule->split, "It stands for these municipalities together")->delimiter(',')->allow_extra_args(false);
  line.CompleteFiles(rule_command.add_option("-f,--filename", rule->file, "CSV file of rulings, - for standard input"));
  rule_command.add_option("--reason", rule->reason, "Why");
  AddBy(rule_command, rule->by);
  rule_command.add_flag("--no-wait", rule->no_wait, "Do not wait until the tables count it");

  line.AddCommand(group,
                  {.name = "rulings",
                   .description = "List rulings in the order they were made, retracted ones too",
                   .examples = "  peilingctl cases rulings\n",
                   .names = true},
                  ListRulings);

  auto retract = std::make_shared<RetractOptions>();
  CLI::App& retract_command = line.AddCommand(group,
                                              {.name = "retract",
                                               .description = "Take a ruling back; it stays visible",
                                               .examples = "  peilingctl cases retract 3 --reason \"it was the other Bergen\"\n",
                                               .names = true},
                                              [retract](Session& session) { return Retract(session, *retract); });
  retract_command.add_option("RULING", retract->ruling, "Number of the ruling")->required();
  retract_command.add_option("--reason", retract->reason, "Why")->required();
  AddBy(retract_command, retract->by);
  retract_command.add_flag("--no-wait", retract->no_wait, "Do not wait until the tables count it");
}

}  // namespace peiling::ctl
