#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/ctl/commands/commands.h"
#include "tests/ctl/program.h"

namespace peiling::ctl {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::RunCtl;
using ::testing::StartsWith;

constexpr char kNowhere[] = "127.0.0.1:1";

// Every command without commands below it, with those above it.
void CollectCommands(const CLI::App& app, std::vector<std::string> words, std::vector<std::vector<std::string>>& commands) {
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  if (below.empty()) commands.push_back(words);
  for (const CLI::App* command : below) {
    auto longer = words;
    longer.push_back(command->get_name());
    CollectCommands(*command, longer, commands);
  }
}

TEST(HelpTest, EveryCommandHasHelpWithExamples) {
  CommandLine line;
  AddAllCommands(line);
  std::vector<std::vector<std::string>> commands;
  CollectCommands(line.root(), {}, commands);
  EXPECT_GE(commands.size(), 30u);
  for (auto words : commands) {
    const std::string name = absl::StrJoin(words, " ");
    words.push_back("--help");
    const Outcome outcome = RunCtl(kNowhere, words);
    EXPECT_EQ(outcome.code, 0) << name;
    EXPECT_THAT(outcome.out, HasSubstr("Examples:\n")) << name;
    EXPECT_THAT(outcome.out, HasSubstr("peilingctl " + name)) << name;
    EXPECT_EQ(outcome.err, "") << name;
  }
}

TEST(HelpTest, TheProgramAloneShowsHelpWithExitCodes) {
  const Outcome outcome = RunCtl(kNowhere, {});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("Exit codes:"));
}

TEST(UsageTest, AWrongCommandLineIsExitCode2AndSaysWhereHelpIs) {
  const Outcome outcome = RunCtl(kNowhere, {"cases", "list", "--stat", "waiting"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("error: "));
  EXPECT_THAT(outcome.err, HasSubstr("Run `peilingctl cases list --help`"));
}

TEST(UsageTest, AnUnknownCommandIsNamed) {
  const Outcome outcome = RunCtl(kNowhere, {"tabel", "Q5"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no command \"tabel\""));
}

TEST(UsageTest, NamesAreForThingsThatHaveThem) {
  const Outcome outcome = RunCtl(kNowhere, {"table", "Q5", "-o", "name"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("-o name"));
}

TEST(VersionTest, IsShownWithoutAServer) {
  const Outcome outcome = RunCtl(kNowhere, {"version", "-o", "csv"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, StartsWith("program,version\npeilingctl,"));
}

}  // namespace
}  // namespace peiling::ctl
