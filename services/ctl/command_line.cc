#include "services/ctl/command_line.h"

#include <unistd.h>

#include <cstdlib>
#include <set>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

constexpr char kFilesDirective[] = ":files";
// Completion waits for the server no longer than a person at the tab key.
constexpr char kCompletionTimeout[] = "1s";

constexpr char kRootFooter[] = R"(Examples:
  peilingctl apply -f surveys/                     take in a survey, its waves and questionnaires
  peilingctl import export.csv --wave 2022         take in a survey tool's export
  peilingctl cases list --state waiting            what needs a researcher
  peilingctl table Q5 --by size-class              a table
  peilingctl report                                cleaning, and every printed figure beside the computed one

Exit codes:
  0  done
  1  the answer is no: figures differ, a file has errors, a text is not understood
  2  the command line is wrong
  3  there is no such thing
  4  what was given is not right
  5  the server could not answer: not there, too slow, failed
  6  it contradicts what is there already
  7  not let in: no key, a wrong one, or one that may not do this
130  Ctrl-C during an import; what was taken in is kept

`peilingctl COMMAND --help` shows each command with examples.)";

constexpr char kCommandFooter[] =
    "Every command takes --server, --key-file, --wave, --survey, --output and --timeout: see `peilingctl --help`.";

Format FormatOf(const std::string& word) {
  if (word == "json") return Format::kJson;
  if (word == "csv") return Format::kCsv;
  return word == "name" ? Format::kName : Format::kTable;
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// The commands chosen so far, with their parents' options: flags of a parent may stand behind its commands.
std::vector<const CLI::Option*> OptionsInReach(const CLI::App* app) {
  std::vector<const CLI::Option*> options;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) options.push_back(option);
  }
  return options;
}

const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  for (const CLI::Option* option : OptionsInReach(app)) {
    if (!option->get_positional() && option->check_name(name)) return option;
  }
  return nullptr;
}

const CLI::App* FindCommand(const CLI::App* app, const std::string& name) {
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

// The argument that the next plain word would be; the last one when it takes any number.
const CLI::Option* PositionalAt(const CLI::App* app, int index) {
  const CLI::Option* last = nullptr;
  for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    last = option;
    index -= option->get_items_expected_max();
    if (index < 0) return option;
  }
  return last != nullptr && last->get_items_expected_max() > 1 ? last : nullptr;
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// What stands before the word that is being typed.
struct Position {
  const CLI::App* app = nullptr;
  // Set when the word is this option's value.
  const CLI::Option* option = nullptr;
  int positionals = 0;
  std::map<std::string, std::string> values;
};

Position Walk(const CLI::App& root, const std::vector<std::string>& words) {
  Position at{.app = &root};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (absl::StartsWith(word, "-")) {
      const size_t equals = word.find('=');
      const CLI::Option* option = FindOption(at.app, word.substr(0, equals));
      if (option == nullptr || !TakesValue(*option)) continue;
      const bool own_word = equals == std::string::npos;
      if (own_word && i + 2 >= words.size()) {
        at.option = option;
        return at;
      }
      at.values[option->get_name()] = own_word ? words[++i] : word.substr(equals + 1);
    } else if (const CLI::App* command = FindCommand(at.app, word); command != nullptr) {
      at.app = command;
    } else {
      ++at.positionals;
    }
  }
  return at;
}

std::string FromEnvironment(const char* variable, std::string otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : std::move(otherwise);
}

}  // namespace

CommandLine::CommandLine()
    : root_("Peiling from the command line: polls among municipalities, from raw export to published tables.", "peilingctl") {
  root_.fallthrough();
  root_.require_subcommand(1);
  root_.get_formatter()->column_width(38);
  root_.set_help_flag("-h,--help", "Show this help and stop");
  root_.footer(kRootFooter);
  root_.add_option("-s,--server", flags_.server, "Address of the gateway: host:port, or with TLS https://host:port")
      ->envname("PEILING_SERVER")
      ->capture_default_str();
  AddCredentialFlags();
  CompleteWaves(
      root_.add_option("-w,--wave", flags_.wave, "Wave: 2022, sociale-wijkteams/2022 or its full name; by default the only one there is")
          ->envname("PEILING_WAVE"));
  Complete(root_.add_option("--survey", flags_.survey, "Survey, when several have a wave of that name")->envname("PEILING_SURVEY"),
           [](Session& session) {
             std::vector<std::string> ids;
             const auto surveys = session.connection().Call(&Intake::ListSurveys, intake::v1::ListSurveysRequest());
             if (surveys.ok()) {
               for (const auto& survey : surveys->surveys()) ids.push_back(survey.name().substr(survey.name().rfind('/') + 1));
             }
             return ids;
           });
  CompleteWith(root_.add_option("-o,--output", flags_.output, "table, json, csv or, for lists of things, name")
                   ->check(CLI::IsMember({"table", "json", "csv", "name"}))
                   ->capture_default_str(),
               {"table", "json", "csv", "name"});
  root_.add_option("--timeout", flags_.timeout, "Longest time for a call, e.g. 30s or 2m; by default 30s, none for import and watch")
      ->envname("PEILING_TIMEOUT");
}

void CommandLine::AddCredentialFlags() {
  const auto add = [this](const char* flag, std::string& file, const char* description, const char* variable) {
    CompleteFiles(root_.add_option(flag, file, description)->envname(variable)->type_name("FILE")->group("Credentials"));
  };
  add("--key-file", flags_.credentials.key_file, "File with your API key; PEILING_API_KEY may hold the key itself", "PEILING_KEY_FILE");
  add("--token-file", flags_.credentials.token_file, "File with an access token (OpenID Connect), read anew at each call",
      "PEILING_TOKEN_FILE");
  add("--tls-ca", flags_.credentials.tls.ca, "Authorities of the server's certificate; by default those of the system",
      "PEILING_CTL_TLS_CA");
  add("--tls-certificate", flags_.credentials.tls.certificate, "Certificate to show to the server", "PEILING_CTL_TLS_CERTIFICATE");
  add("--tls-key", flags_.credentials.tls.key, "Key of that certificate", "PEILING_CTL_TLS_KEY");
  flags_.credentials.key = FromEnvironment("PEILING_API_KEY", "");
}

CLI::App& CommandLine::AddGroup(const std::string& name, const std::string& description) {
  CLI::App* group = root_.add_subcommand(name, description);
  group->require_subcommand(1);
  group->footer(kCommandFooter);
  return *group;
}

CLI::App& CommandLine::AddCommand(CLI::App& parent, const CommandSpec& spec, Run run) {
  CLI::App* command = parent.add_subcommand(spec.name, spec.description);
  command->footer(absl::StrCat("Examples:\n", spec.examples, "\n", kCommandFooter));
  command->callback([this, run = std::move(run), names = spec.names] { selected_ = {.run = run, .names = names}; });
  return *command;
}

void CommandLine::CompleteWith(CLI::Option* option, std::vector<std::string> values) {
  Complete(option, [values = std::move(values)](Session&) { return values; });
}

void CommandLine::CompleteFiles(CLI::Option* option) { CompleteWith(option, {kFilesDirective}); }

void CommandLine::CompleteWaves(CLI::Option* option) {
  Complete(option, [](Session& session) {
    std::vector<std::string> ids;
    intake::v1::ListWavesRequest request;
    request.set_parent("surveys/-");
    const auto waves = session.connection().Call(&Intake::ListWaves, request);
    if (!waves.ok()) return ids;
    std::set<std::string> once;
    for (const auto& wave : waves->waves()) {
      const std::string id = wave.name().substr(wave.name().rfind('/') + 1);
      if (once.insert(id).second) ids.push_back(id);
    }
    return ids;
  });
}

void CommandLine::CompleteQuestions(CLI::Option* option) {
  Complete(option, [](Session& session) {
    std::vector<std::string> codes;
    const auto questionnaire = session.Questionnaire();
    if (!questionnaire.ok()) return codes;
    for (const auto& section : questionnaire->sections()) {
      for (const auto& question : section.questions()) codes.push_back(absl::StrCat(question.code(), "\t", question.title()));
    }
    return codes;
  });
}

std::vector<std::string> CommandLine::ValuesOf(const CLI::Option* option) {
  const auto completer = completers_.find(option);
  if (completer == completers_.end()) return {};
  std::ostringstream nowhere;
  Output output(Format::kTable, nowhere, {}, nowhere, {});
  flags_.timeout = kCompletionTimeout;
  const auto session = Session::Open(flags_, output);
  return session.ok() ? completer->second(**session) : std::vector<std::string>();
}

std::string CommandLine::Candidates(const std::vector<std::string>& words) {
  if (words.empty()) return "";
  Position at = Walk(root_, words);
  auto& [key_file, token_file, key, tls] = flags_.credentials;
  for (const auto& [name, target] : {std::pair{"--server", &flags_.server},
                                     {"--wave", &flags_.wave},
                                     {"--survey", &flags_.survey},
                                     {"--key-file", &key_file},
                                     {"--token-file", &token_file},
                                     {"--tls-ca", &tls.ca},
                                     {"--tls-certificate", &tls.certificate},
                                     {"--tls-key", &tls.key}}) {
    *target = FromEnvironment(FindOption(&root_, name)->get_envname().c_str(), *target);
    if (const auto value = at.values.find(name); value != at.values.end()) *target = value->second;
  }

  std::string prefix = words.back();
  std::string before;  // stands before each value: "--wave="
  std::vector<std::string> candidates;
  const size_t equals = prefix.find('=');
  if (at.option == nullptr && absl::StartsWith(prefix, "--") && equals != std::string::npos) {
    before = prefix.substr(0, equals + 1);
    at.option = FindOption(at.app, prefix.substr(0, equals));
    if (at.option == nullptr) return "";
  }
  if (at.option != nullptr) {
    candidates = ValuesOf(at.option);
  } else if (absl::StartsWith(prefix, "-")) {
    for (const CLI::Option* option : OptionsInReach(at.app)) {
      for (const std::string& name : option->get_lnames())
        candidates.push_back(absl::StrCat("--", name, "\t", FirstLine(option->get_description())));
    }
  } else if (const auto commands = at.app->get_subcommands([](const CLI::App*) { return true; }); !commands.empty()) {
    for (const CLI::App* command : commands)
      candidates.push_back(absl::StrCat(command->get_name(), "\t", FirstLine(command->get_description())));
  } else if (const CLI::Option* argument = PositionalAt(at.app, at.positionals); argument != nullptr) {
    candidates = ValuesOf(argument);
  }

  std::string out;
  std::set<std::string> once;
  for (const std::string& candidate : candidates) {
    const std::string line = candidate == kFilesDirective ? candidate : before + candidate;
    if ((candidate == kFilesDirective || absl::StartsWith(line, prefix)) && once.insert(line).second) absl::StrAppend(&out, line, "\n");
  }
  return out;
}

int CommandLine::ShowUsageError(const CLI::ParseError& error, std::ostream& out, std::ostream& err) {
  if (error.get_exit_code() == 0) {  // --help is an exception of its own
    root_.exit(error, out, err);
    return static_cast<int>(ExitCode::kOk);
  }
  std::string command = "peilingctl";
  for (const CLI::App* app = &root_; !app->get_subcommands().empty();) {
    app = app->get_subcommands().front();
    absl::StrAppend(&command, " ", app->get_name());
  }
  const std::vector<std::string> unknown = root_.remaining(true);
  const bool unknown_command = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown.empty();
  const absl::Status status = UsageError(unknown_command ? absl::StrCat("there is no command \"", unknown.front(), "\"") : error.what());
  err << (flags_.output == "json" ? ErrorAsJson(status, flags_.server)
                                  : absl::StrCat(DescribeError(status, flags_.server), "Run `", command, " --help` for what it takes.\n"));
  return static_cast<int>(ExitCode::kUsage);
}

int CommandLine::RunSelected(std::ostream& out, std::ostream& err) {
  Output output(FormatOf(flags_.output), out, DetectTerminal(STDOUT_FILENO), err, DetectTerminal(STDERR_FILENO));
  const auto run = [&]() -> absl::StatusOr<ExitCode> {
    if (output.format() == Format::kName && !selected_.names) return UsageError("-o name: this command does not list things with names");
    const auto session = Session::Open(flags_, output);
    if (!session.ok()) return session.status();
    return selected_.run(**session);
  };
  const absl::StatusOr<ExitCode> code = run();
  if (code.ok()) return static_cast<int>(*code);
  out.flush();
  err << (output.format() == Format::kJson ? ErrorAsJson(code.status(), flags_.server) : DescribeError(code.status(), flags_.server));
  return static_cast<int>(ExitCodeOf(code.status()));
}

int CommandLine::Main(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  if (argc == 1) {
    out << root_.help();
    return static_cast<int>(ExitCode::kOk);
  }
  if (std::string(argv[1]) == "__complete") {
    out << Candidates(std::vector<std::string>(argv + 2, argv + argc));
    return static_cast<int>(ExitCode::kOk);
  }
  try {
    root_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ShowUsageError(error, out, err);
  }
  return RunSelected(out, err);
}

}  // namespace peiling::ctl
