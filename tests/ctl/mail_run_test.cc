// mail run, against an outbox and a mail server that do what the test says.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/ctl/fake_mail.h"
#include "tests/ctl/fake_smtp.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using fieldwork::v1::MailOutcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MailRunTest : public ::testing::Test {
 protected:
  std::vector<std::string> Command(const std::vector<std::string>& more = {}, const std::string& rate = "0") const {
    std::vector<std::string> command = {"mail",   "run", "--wave",    kMailWave,       "--smtp",  smtp_.url(),          "--insecure-smtp",
                                        "--rate", rate,  "--bounces", "b@vng.example", "--state", folder_.Path("state")};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  Outcome Run(const std::vector<std::string>& more = {}) { return RunCtl(mail_.address(), Command(more)); }
  // For one that is not waited for.
  std::vector<std::string> Started(const std::vector<std::string>& more = {}, const std::string& rate = "0") const {
    std::vector<std::string> command = Command(more, rate);
    command.insert(command.begin(), PEILINGCTL);
    return command;
  }
  std::vector<std::string> Environment() const { return {"PEILING_SERVER=" + mail_.address()}; }

  // The journal's text.
  std::string Kept() const { return ReadWhole(journal_); }

  std::vector<std::string> Receivers() const {
    std::vector<std::string> receivers;
    for (const FakeSmtp::Mail& mail : smtp_.mails()) receivers.push_back(mail.to);
    return receivers;
  }

  FakeMail mail_;
  FakeSmtp smtp_;
  TemporaryFolder folder_;
  const std::string journal_ = folder_.Path("state/mail-run.surveys.vn.waves.2026.json");
};

TEST_F(MailRunTest, BeginsSendsAndTellsOneAfterTheOther) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "weg@gemeente.example");
  mail_.Add("GM0003", "drie@gemeente.example");
  mail_.Cancel("GM0003");
  smtp_.Answers("RCPT", "weg", "550 5.1.1 no such mailbox");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(Receivers(), ElementsAre("een@gemeente.example"));
  const auto completions = mail_.completions();
  ASSERT_EQ(completions.size(), 2u) << "each is told by itself";
  EXPECT_TRUE(completions[0].outcomes(0).sent());
  EXPECT_TRUE(completions[1].outcomes(0).permanent());
  EXPECT_THAT(outcome.out, HasSubstr("refused for good       1"));
  EXPECT_EQ(Kept(), "");
  struct stat info {};
  ASSERT_EQ(stat(journal_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(MailRunTest, TellsWhatWasSentUntilItIsHeard) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.FailCompletions(3);
  EXPECT_EQ(Run().code, 0);
  EXPECT_EQ(mail_.outcomes().size(), 1u);
  EXPECT_EQ(smtp_.mails().size(), 1u);
}

TEST_F(MailRunTest, WhatWasSentAndNotToldIsToldByTheNextRunBeforeAnythingElse) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "twee@gemeente.example");
  mail_.FailCompletions(1'000'000);
  {
    Program program(Started(), Environment());
    for (int i = 0; i < 1000 && smtp_.mails().empty(); ++i) usleep(10'000);
    for (int i = 0; i < 1000 && Kept().empty(); ++i) usleep(10'000);
    program.Signal(SIGKILL);
    program.Wait();
  }
  ASSERT_THAT(Kept(), HasSubstr("GM0001"));
  EXPECT_TRUE(mail_.outcomes().empty());
  mail_.FailCompletions(0);
  mail_.Add("GM0003", "drie@gemeente.example");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto completions = mail_.completions();
  ASSERT_EQ(completions.size(), 2u);
  EXPECT_EQ(completions[0].lease_id(), "lease-1");
  EXPECT_EQ(completions[0].outcomes(0).message(), FakeMail::Name("GM0001"));
  EXPECT_TRUE(completions[0].outcomes(0).sent());
  EXPECT_EQ(completions[1].outcomes(0).message(), FakeMail::Name("GM0003"));
  EXPECT_EQ(Kept(), "");
}

TEST_F(MailRunTest, TellsNoOtherSuiteWhatWasSent) {
  mail_.Add("GM0001", "een@gemeente.example");
  ASSERT_EQ(Run().code, 0);
  FakeMail other;
  {
    const std::string kept =
        absl::StrCat(mail_.address(), R"( {"parent":"surveys/vn/waves/2026","leaseId":"lease-1","outcomes":[]})", "\n");
    folder_.Write("state/mail-run.surveys.vn.waves.2026.json", kept);
  }
  const Outcome outcome = RunCtl(other.address(), Command());
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("MAIL_RUN_UNTOLD"));
  EXPECT_TRUE(other.completions().empty());
}

TEST_F(MailRunTest, AJournalThatWasNeverWholeOrCannotBeReadSaysSo) {
  mail_.Add("GM0001", "een@gemeente.example");
  ASSERT_EQ(Run().code, 0);
  folder_.Write("state/mail-run.surveys.vn.waves.2026.json", mail_.address() + " {\"parent\":\"sur");
  EXPECT_EQ(Run().code, 0) << "the power went while it was written";
  folder_.Write("state/mail-run.surveys.vn.waves.2026.json", "iets anders\n");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("MAIL_RUN_UNREADABLE"));
}

TEST_F(MailRunTest, AMailServerThatLetsNobodySendBlamesNobody) {
  for (int i = 1; i <= 8; ++i) mail_.Add(absl::StrCat("GM000", i), absl::StrCat("a", i, "@gemeente.example"));
  smtp_.Answers("RCPT", "", "550 relay not permitted");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 7);
  EXPECT_THAT(outcome.err, HasSubstr("SMTP_REFUSED"));
  EXPECT_THAT(outcome.err, HasSubstr("relay not permitted"));
  const auto outcomes = mail_.outcomes();
  EXPECT_EQ(outcomes.size(), 8u) << "those that were leased are given back, too";
  for (const MailOutcome& told : outcomes) {
    EXPECT_TRUE(told.not_tried());
    EXPECT_FALSE(told.sent() || told.permanent());
  }
}

TEST_F(MailRunTest, AMailServerThatIsAwayStopsItBeforeAnythingIsLeased) {
  mail_.Add("GM0001", "een@gemeente.example");
  smtp_.Answers("connect", "", "421 4.3.2 not now");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("421 4.3.2 not now"));
  EXPECT_TRUE(mail_.begun().empty());
}

TEST_F(MailRunTest, TheMailServerIsAskedOnceHoweverOftenMailIsLeased) {
  for (int i = 1; i <= 4; ++i) mail_.Add(absl::StrCat("GM000", i), absl::StrCat("a", i, "@gemeente.example"));
  mail_.LeaseAtMost(1);
  smtp_.TakesNoops(1);
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(smtp_.mails().size(), 4u);
  EXPECT_GT(mail_.leases(), 4);
  EXPECT_EQ(smtp_.connections(), 1);
}

TEST_F(MailRunTest, OneMailThatIsNotTakenKeepsNoOtherFromGoing) {
  mail_.Add("GM0001", "nooit@gemeente.example");
  for (int i = 2; i <= 4; ++i) mail_.Add(absl::StrCat("GM000", i), absl::StrCat("a", i, "@gemeente.example"));
  smtp_.Answers("RCPT", "nooit", "550 5.7.1 not from you");
  EXPECT_EQ(Run().code, 0);
  EXPECT_EQ(smtp_.mails().size(), 3u);
  const auto outcomes = mail_.outcomes();
  ASSERT_EQ(outcomes.size(), 5u);
  EXPECT_TRUE(outcomes[0].not_tried());
  EXPECT_FALSE(outcomes[4].not_tried() || outcomes[4].permanent()) << "it is this mail: later, and not for ever";
}

TEST_F(MailRunTest, OneMailThatIsNeverTakenWhileNothingElseIsDueIsTriedLater) {
  mail_.Add("GM0001", "nooit@gemeente.example");
  smtp_.Answers("RCPT", "", "550 5.7.1 not from you");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("not from you"));
  const auto outcomes = mail_.outcomes();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[0].not_tried() && outcomes[1].not_tried());
  EXPECT_FALSE(outcomes[2].not_tried() || outcomes[2].permanent());
}

TEST_F(MailRunTest, OneMailIsNotToBlameForARefusedSenderOrLogin) {
  mail_.Add("GM0001", "een@gemeente.example");
  smtp_.Answers("RCPT", "", "530 5.7.0 log in first");
  EXPECT_EQ(Run().code, 7);
  smtp_.Answers("MAIL", "", "550 5.7.1 not you");
  EXPECT_EQ(Run().code, 7);
  EXPECT_EQ(mail_.outcomes().size(), 12u);
  for (const MailOutcome& told : mail_.outcomes()) EXPECT_TRUE(told.not_tried()) << told.diagnostic();
}

TEST_F(MailRunTest, OneMailThatIsLeasedAtATimeIsNotAllThatIsDue) {
  for (int i = 1; i <= 2; ++i) mail_.Add(absl::StrCat("GM000", i), absl::StrCat("a", i, "@gemeente.example"));
  smtp_.Answers("RCPT", "", "550 relay not permitted");
  EXPECT_EQ(RunCtl(mail_.address(), Command({"--lease", "2s"}, "1.9")).code, 7);
  EXPECT_EQ(mail_.outcomes().size(), 6u);
  for (const MailOutcome& told : mail_.outcomes()) EXPECT_TRUE(told.not_tried());
}

TEST_F(MailRunTest, WhoFollowsWaitsUntilTheServerLetsThemIn) {
  mail_.Add("GM0001", "een@gemeente.example");
  smtp_.Answers("connect", "", "554 5.7.1 go away");
  Program program(Started({"--follow"}), Environment());
  ASSERT_TRUE(program.WaitForOutput("SMTP_REFUSED"));
  smtp_.Answers("connect", "", "220 fake");
  for (int i = 0; i < 1500 && mail_.outcomes().empty(); ++i) usleep(10'000);
  EXPECT_EQ(smtp_.mails().size(), 1u);
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
}

TEST_F(MailRunTest, NothingIsBegunBeforeItsTurn) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "twee@gemeente.example");
  Program program(Started({}, "0.1"), Environment());
  for (int i = 0; i < 1000 && mail_.outcomes().empty(); ++i) usleep(10'000);
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
  EXPECT_THAT(mail_.begun(), ElementsAre(FakeMail::Name("GM0001")));
  ASSERT_EQ(mail_.outcomes().size(), 2u);
  EXPECT_TRUE(mail_.outcomes()[1].not_tried()) << "given back at once, not when its turn had come";
}

TEST_F(MailRunTest, WhatCouldNotBeBegunIsGivenBack) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "twee@gemeente.example");
  mail_.FailBegins(1'000'000);
  EXPECT_EQ(Run().code, 5);
  const auto outcomes = mail_.outcomes();
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_TRUE(outcomes[0].not_tried() && outcomes[1].not_tried());
  EXPECT_EQ(outcomes[0].message(), FakeMail::Name("GM0001"));
}

TEST_F(MailRunTest, FiveRefusalsForGoodInARowAskTheOperator) {
  for (int i = 1; i <= 8; ++i) mail_.Add(absl::StrCat("GM000", i), absl::StrCat("a", i, "@gemeente.example"));
  smtp_.Answers("RCPT", "", "550 no such user");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("MAIL_REFUSED"));
  int permanent = 0;
  for (const MailOutcome& told : mail_.outcomes()) permanent += told.permanent();
  EXPECT_EQ(permanent, 5);
}

TEST_F(MailRunTest, SaysWhatWasNotTaken) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Answers("GM0001", fieldwork::v1::MAIL_RESULT_INVALID, "diagnostic: too long");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("diagnostic: too long"));
}

TEST_F(MailRunTest, AMailThatMayHaveGoneIsToldToNobody) {
  mail_.Add("GM0001", "stil@gemeente.example");
  mail_.Add("GM0002", "een@gemeente.example");
  smtp_.Answers(".", "stil", "");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(mail_.outcomes().size(), 1u);
  EXPECT_EQ(mail_.outcomes()[0].message(), FakeMail::Name("GM0002"));
  EXPECT_THAT(outcome.out, HasSubstr("uncertain              1"));
}

TEST_F(MailRunTest, ASecondRunWithTheSameFolderIsRefused) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.FailCompletions(1'000'000);
  Program program(Started(), Environment());
  for (int i = 0; i < 1000 && Kept().empty(); ++i) usleep(10'000);
  EXPECT_THAT(Run().err, HasSubstr("MAIL_RUN_IN_USE"));
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 5);
  EXPECT_THAT(Kept(), HasSubstr("GM0001")) << "stopped before it could be told";
}

TEST_F(MailRunTest, OnATerminalItShowsHowFarItIs) {
  mail_.Add("GM0001", "een@gemeente.example");
  EXPECT_THAT(RunCtlOnTerminal(mail_.address(), Command(), 100).out, HasSubstr("100%  1 mails"));
}

}  // namespace
}  // namespace peiling::ctl::testing
