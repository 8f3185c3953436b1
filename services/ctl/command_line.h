// The commands there are, and running the one that was asked for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/session.h"

namespace peiling::ctl {

// What a command does. An error is shown by the caller.
using Run = std::function<absl::StatusOr<ExitCode>(Session&)>;

// Values an option or argument may have, for shell completion; may ask the server.
using Completer = std::function<std::vector<std::string>(Session&)>;

struct CommandSpec {
  std::string name;
  std::string description;
  // Lines of help below the options, each an example.
  std::string examples;
  // Whether `-o name` makes sense.
  bool names = false;
};

class CommandLine {
 public:
  CommandLine();

  CLI::App& root() { return root_; }
  Flags& flags() { return flags_; }

  // A word with commands below it ("cases").
  CLI::App& AddGroup(const std::string& name, const std::string& description);
  // A command; its flags are added to what is returned.
  CLI::App& AddCommand(CLI::App& parent, const CommandSpec& spec, Run run);

  // What can stand at an option or argument.
  void Complete(CLI::Option* option, Completer completer) { completers_[option] = std::move(completer); }
  void CompleteWith(CLI::Option* option, std::vector<std::string> values);
  void CompleteFiles(CLI::Option* option);
  void CompleteWaves(CLI::Option* option);
  void CompleteQuestions(CLI::Option* option);

  // What may follow: the last word is the one being typed. Each line is a word, a tab and a description; the line ":files" asks the shell
  // for file names.
  std::string Candidates(const std::vector<std::string>& words);

  // Reads the command line, runs the command and says what went wrong. Returns the exit code.
  int Main(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

 private:
  struct Selected {
    Run run;
    bool names = false;
  };

  void AddCredentialFlags();
  int RunSelected(std::ostream& out, std::ostream& err);
  int ShowUsageError(const CLI::ParseError& error, std::ostream& out, std::ostream& err);
  std::vector<std::string> ValuesOf(const CLI::Option* option);

  CLI::App root_;
  Flags flags_;
  Selected selected_;
  std::map<const CLI::Option*, Completer> completers_;
};

}  // namespace peiling::ctl
