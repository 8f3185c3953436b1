// mail merge, mail bounces and mail preview, against an outbox that does what the test says.
#include <dirent.h>
#include <sys/stat.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "services/common/csv/csv_reader.h"
#include "tests/ctl/fake_mail.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kReport[] =
    "From: Mail Delivery System <>\nTo: bounces+GM0001.uitnodiging.1=abcdefgh01234567@vng.example\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=x\nMessage-Id: <E1@mail.example>\n\n"
    "--x\nContent-type: text/plain\n\nNo.\n\n--x\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n"
    "Action: failed\nFinal-Recipient: rfc822;a@gemeente.example\nStatus: 5.1.1\n\n--x--\n";

class MailReportsTest : public ::testing::Test {
 protected:
  Outcome Ctl(std::vector<std::string> words) {
    words.insert(words.begin(), "mail");
    words.insert(words.end(), {"--wave", kMailWave});
    return RunCtl(mail_.address(), words);
  }

  static std::set<std::string> In(const std::string& folder) {
    std::set<std::string> names;
    DIR* const directory = opendir(folder.c_str());
    while (const dirent* entry = directory != nullptr ? readdir(directory) : nullptr) {
      if (entry->d_name[0] != '.') names.insert(entry->d_name);
    }
    if (directory != nullptr) closedir(directory);
    return names;
  }

  std::string MergedFile() {
    const std::set<std::string> files = In(folder_.Path("mail"));
    return files.size() == 1 ? folder_.Path("mail/" + *files.begin()) : "";
  }

  FakeMail mail_;
  TemporaryFolder folder_;
};

TEST_F(MailReportsTest, MergeWritesWhatAMailingSystemNeedsForItsOwnersEyes) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "twee@gemeente.example");
  mail_.Cancel("GM0002");
  const Outcome outcome = Ctl({"merge", folder_.Path("mail")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string path = MergedFile();
  EXPECT_THAT(path, HasSubstr("/invitation.uitnodiging.lease-1.csv"));
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto table =
      csv::Table::Load(path, {"message", "lease", "return_token", "to_address", "to_name", "subject", "unsubscribe_url", "link", "aanhef"});
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 1u) << "what was cancelled is not in it";
  EXPECT_EQ(table->at(0, "message"), FakeMail::Name("GM0001"));
  EXPECT_EQ(table->at(0, "lease"), "lease-1");
  EXPECT_EQ(table->at(0, "return_token"), "abcdefgh01234567");
  EXPECT_EQ(table->at(0, "to_address"), "een@gemeente.example");
  EXPECT_EQ(table->at(0, "link"), "https://peiling.example/deelnemen#abc");
  EXPECT_EQ(table->at(0, "unsubscribe_url"), "https://peiling.example/v1/unsubscriptions/abc");
  EXPECT_TRUE(mail_.completions().empty());
  EXPECT_THAT(outcome.err, HasSubstr("--report"));
}

TEST_F(MailReportsTest, MergeForExcelHasNoFormulas) {
  mail_.Add("GM0001", "een@gemeente.example", "=1+1|x");
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail"), "--excel"}).code, 0);
  const std::string text = ReadWhole(MergedFile());
  EXPECT_EQ(text.substr(0, 16), "\xEF\xBB\xBFmessage;retur");
  EXPECT_THAT(text, HasSubstr(";'=1+1|x;"));
}

TEST_F(MailReportsTest, WhatIsAssumedToBeSentIsToldAtOnce) {
  mail_.Add("GM0001", "een@gemeente.example");
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail"), "--assume-sent"}).code, 0);
  ASSERT_EQ(mail_.outcomes().size(), 1u);
  EXPECT_TRUE(mail_.outcomes()[0].sent());
}

TEST_F(MailReportsTest, MailIsDueAgainWhenItsFileCannotBeWritten) {
  mail_.Add("GM0001", "een@gemeente.example");
  // A folder stands where the file would be begun.
  const std::string file = folder_.Path("mail/invitation.uitnodiging.lease-1.csv.part");
  ASSERT_EQ(mkdir(folder_.Path("mail").c_str(), 0700), 0);
  ASSERT_EQ(mkdir(file.c_str(), 0700), 0);
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail")}).code, 3);
  ASSERT_EQ(mail_.outcomes().size(), 1u);
  EXPECT_TRUE(mail_.outcomes()[0].not_tried());
}

TEST_F(MailReportsTest, MailIsDueAgainWhenItCannotBeBegun) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.Add("GM0002", "twee@gemeente.example");
  mail_.FailBegins(1'000'000);
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail")}).code, 5);
  const auto completions = mail_.completions();
  ASSERT_EQ(completions.size(), 1u);
  EXPECT_EQ(completions[0].lease_id(), "lease-1");
  ASSERT_EQ(completions[0].outcomes_size(), 2);
  for (const auto& outcome : completions[0].outcomes()) EXPECT_TRUE(outcome.not_tried()) << outcome.message();
  EXPECT_TRUE(In(folder_.Path("mail")).empty());
}

TEST_F(MailReportsTest, AMergeTriesAgainWhatMayPass) {
  mail_.Add("GM0001", "een@gemeente.example");
  mail_.FailBegins(2);
  mail_.FailCompletions(2);
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail"), "--assume-sent"}).code, 0);
  EXPECT_NE(MergedFile(), "");
  ASSERT_EQ(mail_.outcomes().size(), 1u);
  EXPECT_TRUE(mail_.outcomes()[0].sent());
}

TEST_F(MailReportsTest, AReportOfAMergeIsToldRowByRow) {
  mail_.Answers("GM0009", fieldwork::v1::MAIL_RESULT_NOT_FOUND);
  const std::string file = folder_.Write("terug.csv",
                                         absl::StrCat("outcome;message;lease;time;code;diagnostic;return_token\n",               //
                                                      "sent;", FakeMail::Name("GM0001"), ";lease-1;;;;\n",                       // 2
                                                      "not-sent;GM0002.uitnodiging.1;lease-1;;;;\n",                             // 3
                                                      "hard-bounce;GM0003.uitnodiging.1;;2026-11-22 10:15;550 5.1.1;weg;abc\n",  // 4
                                                      ";GM0004.uitnodiging.1;;;;;\n",                       // 5: not known yet
                                                      "iets;GM0005.uitnodiging.1;;;;;\n",                   // 6
                                                      "delivered;GM0006.uitnodiging.1;;;999;;\n",           // 7
                                                      "delivered;surveys/vn/waves/2024/messages/x;;;;;\n",  // 8
                                                      "delivered;GM0009.uitnodiging.1;;;;;\n",              // 9
                                                      "not-sent;GM0010.uitnodiging.1;;;;;\n"));             // 10
  const Outcome outcome = Ctl({"merge", "--report", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("3 taken, 0 known already, 5 not taken"));
  for (const char* line : {"\n6 ", "\n7 ", "\n8 ", "\n9 ", "\n10 "}) EXPECT_THAT("\n" + outcome.out, HasSubstr(line));
  ASSERT_EQ(mail_.outcomes().size(), 2u);
  EXPECT_TRUE(mail_.outcomes()[0].sent());
  EXPECT_TRUE(mail_.outcomes()[1].not_tried());
  const auto events = mail_.events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind(), fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE);
  EXPECT_EQ(events[0].smtp_code(), 550);
  EXPECT_EQ(events[0].enhanced_code(), "5.1.1");
  EXPECT_EQ(events[0].return_token(), "abc");
  EXPECT_EQ(events[0].time().seconds(), 1795338900);
  Ctl({"merge", "--report", file});
  EXPECT_EQ(mail_.events()[2].event_id(), events[0].event_id()) << "a second time is no second event";
}

TEST_F(MailReportsTest, AReportWithoutItsColumnsIsRefused) {
  EXPECT_EQ(Ctl({"merge", "--report", folder_.Write("terug.csv", "message;state\nx;sent\n")}).code, 4);
  EXPECT_EQ(Ctl({"merge"}).code, 2);
  EXPECT_EQ(Ctl({"merge", folder_.Path("mail"), "--report", "x.csv"}).code, 2);
}

class BouncesTest : public MailReportsTest {
 protected:
  BouncesTest() {
    for (const char* folder : {"box", "box/new", "box/cur", "box/tmp"}) mkdir(folder_.Path(folder).c_str(), 0700);
  }
};

TEST_F(BouncesTest, OfAMaildirWhatWasTakenIsMarkedAndTheRestStays) {
  folder_.Write("box/new/1.a", kReport);
  folder_.Write("box/new/2.a", "Subject: Afwezig\n\nIk ben er niet.\n");
  folder_.Write("box/cur/3.a:2,R", absl::StrReplaceAll(kReport, {{"E1@", "E3@"}}));
  folder_.Write("box/cur/4.a:2,S", absl::StrReplaceAll(kReport, {{"E1@", "E4@"}}));
  folder_.Write("box/new/5.a", absl::StrReplaceAll(kReport, {{"GM0001", "GM0005"}}));
  mail_.Answers("GM0005", fieldwork::v1::MAIL_RESULT_INVALID, "return_token: is of another message");
  const Outcome outcome = Ctl({"bounces", folder_.Path("box")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("it is no report of a mail server"));
  EXPECT_THAT(outcome.out, HasSubstr("return_token: is of another message"));
  EXPECT_THAT(outcome.out, HasSubstr("2 taken, 0 known already, 2 not taken"));
  EXPECT_EQ(In(folder_.Path("box/new")), (std::set<std::string>{"2.a", "5.a"}));
  EXPECT_EQ(In(folder_.Path("box/cur")), (std::set<std::string>{"1.a:2,S", "3.a:2,RS", "4.a:2,S"}));
  const auto events = mail_.events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].message(), FakeMail::Name("GM0001"));
  EXPECT_EQ(events[0].return_token(), "abcdefgh01234567");
}

TEST_F(BouncesTest, OfAnMboxEachMailIsRead) {
  const std::string second = absl::StrReplaceAll(kReport, {{"GM0001", "GM0002"}, {"\nNo.\n", "\n>From here\n"}});
  const std::string mbox =
      folder_.Write("box.mbox", absl::StrCat("From a Sun Nov 22 12:00:00 2026\n", kReport, "\nFrom b Sun Nov 22\n", second));
  EXPECT_THAT(Ctl({"bounces", mbox, "--dry-run"}).out, HasSubstr("2 taken"));
  EXPECT_TRUE(mail_.events().empty());
  EXPECT_EQ(Ctl({"bounces", mbox}).code, 0);
  ASSERT_EQ(mail_.events().size(), 2u);
  EXPECT_EQ(mail_.events()[1].message(), FakeMail::Name("GM0002"));
  EXPECT_EQ(Ctl({"bounces", folder_.Write("een.eml", kReport)}).code, 0);
  EXPECT_EQ(mail_.events()[2].event_id(), mail_.events()[0].event_id());
  EXPECT_EQ(Ctl({"bounces", folder_.Path("niets")}).code, 3);
  EXPECT_EQ(Ctl({"bounces", folder_.Path("box/new")}).code, 3) << "no Maildir";
}

TEST_F(MailReportsTest, PreviewShowsAllThatTheMailHas) {
  mail_.Add("GM0001", "een@gemeente.example");
  const Outcome outcome = Ctl({"preview", "uitnodiging"});
  for (const char* text :
       {"https://peiling.example/v1/unsubscriptions/abc", "{{aanhef}}", "https://peiling.example/deelnemen#abc", "Beste J. Jansen"}) {
    EXPECT_THAT(outcome.out, HasSubstr(text));
  }
  EXPECT_THAT(Ctl({"preview", "uitnodiging", "-o", "json"}).out,
              HasSubstr("\"unsubscribeUrl\": \"https://peiling.example/v1/unsubscriptions/abc\""));
}

}  // namespace
}  // namespace peiling::ctl::testing
