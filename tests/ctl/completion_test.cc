#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CompletionTest : public SuiteTest {
 protected:
  // What bash offers for a line, by the script itself.
  std::string Bash(const std::string& line) {
    const std::string folder = std::filesystem::path(PEILINGCTL).parent_path();
    const std::string script = R"(source <(peilingctl completion bash) || exit 1
      compopt() { echo "option: $*"; }
      COMP_LINE=$1 COMP_POINT=${#1}
      _peilingctl
      printf '%s\n' "${COMPREPLY[@]}")";
    const Outcome outcome = Program({"/bin/bash", "--norc", "-c", script, "bash", line},
                                    {absl::StrCat("PATH=", folder, ":/usr/bin:/bin"), "PEILING_SERVER=" + suite_.address()})
                                .Wait();
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
  }
};

TEST_F(CompletionTest, Commands) {
  EXPECT_EQ(Bash("peilingctl ca"), "cases\n");
  EXPECT_EQ(Bash("peilingctl cases r"), "rule\nrulings\nretract\n");
  EXPECT_EQ(Bash("peilingctl -w 2022 rep"), "report\n");
}

TEST_F(CompletionTest, FlagsOfTheCommandAndThoseOfEvery) {
  EXPECT_EQ(Bash("peilingctl import --dry"), "--dry-run\n");
  EXPECT_EQ(Bash("peilingctl import --wav"), "--wave\n");
}

TEST_F(CompletionTest, ValuesOfFlags) {
  EXPECT_EQ(Bash("peilingctl get waves -o "), "table\njson\ncsv\nname\n");
  EXPECT_EQ(Bash("peilingctl cases list --state w"), "waiting\n");
  EXPECT_EQ(Bash("peilingctl decisions --disposition re"), "restart\n");
}

TEST_F(CompletionTest, ValuesBehindAnEqualsSignOrColonWhereBashBreaksWords) {
  EXPECT_EQ(Bash("peilingctl get waves --output=j"), "json\n");
  EXPECT_EQ(Bash("peilingctl table --by group:G40"), "G40\n");
  EXPECT_EQ(Bash("peilingctl table --by que"), "option: -o nospace\nquestion:\n");
}

TEST_F(CompletionTest, WavesAndQuestionsFromTheServer) {
  EXPECT_EQ(Bash("peilingctl report --wave "), "2022\n");
  EXPECT_EQ(Bash("peilingctl table Q"), "Q5\nQ22\nQ63\n");
  EXPECT_EQ(Bash("peilingctl table Q5 Q2"), "Q22\n");
}

TEST_F(CompletionTest, Files) {
  TemporaryFolder folder;
  const std::string file = folder.Write("export.csv", "");
  EXPECT_EQ(Bash("peilingctl import " + file.substr(0, file.size() - 3)), "option: -o filenames\n" + file + "\n");
  EXPECT_EQ(Bash("peilingctl apply -f " + file.substr(0, file.size() - 3)), "option: -o filenames\n" + file + "\n");
}

TEST_F(CompletionTest, NothingWhereNothingIsKnown) { EXPECT_EQ(Bash("peilingctl municipality resolve "), "\n"); }

TEST(CompletionWithoutServerTest, IsQuickAndQuiet) {
  const Outcome outcome = RunCtl("127.0.0.1:1", {"__complete", "report", "--wave", ""});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST(CompletionScriptTest, EveryShellReadsItsScript) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Outcome script = RunCtl("127.0.0.1:1", {"completion", shell});
    EXPECT_EQ(script.code, 0);
    const std::string program = "/usr/bin/" + shell;
    if (!std::filesystem::exists(program)) continue;
    TemporaryFolder folder;
    const Outcome check = Program({program, "-n", folder.Write("script", script.out)}, {}).Wait();
    EXPECT_EQ(check.code, 0) << check.err;
  }
}

TEST(CompletionScriptTest, AnUnknownShellIsAUsageError) { EXPECT_EQ(RunCtl("127.0.0.1:1", {"completion", "tcsh"}).code, 2); }

}  // namespace
}  // namespace peiling::ctl::testing
