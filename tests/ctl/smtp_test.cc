// Sending mails, and what servers say to that.
#include "services/ctl/client/smtp.h"

#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_smtp.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using fieldwork::v1::LeasedMessage;
using ::testing::HasSubstr;

LeasedMessage MailTo(const std::string& address) {
  LeasedMessage message;
  message.set_message("surveys/vn/waves/2026/messages/GM0363.uitnodiging.2");
  message.set_return_token("abcdefgh01234567");
  auto& content = *message.mutable_content();
  content.set_to_address(address);
  content.set_to_name("J. Jansen");
  content.set_from_address("peiling@vng.example");
  content.set_from_name("VNG, \"peiling\"");
  content.set_reply_to("vragen@vng.example");
  content.set_language("nl");
  content.set_subject("Uitnodiging");
  content.set_text("Beste José,\n.\nTot ziens");
  content.set_html("<p>Beste José</p>");
  content.set_unsubscribe_url("https://peiling.example/v1/unsubscriptions/abc");
  return message;
}

class SmtpTest : public ::testing::Test {
 protected:
  std::unique_ptr<SmtpSender> Open(SmtpOptions options) {
    options.url = server_.url();
    options.insecure = true;
    auto sender = SmtpSender::Open(options);
    EXPECT_TRUE(sender.ok()) << sender.status();
    return *std::move(sender);
  }

  FakeSmtp server_;
};

TEST_F(SmtpTest, SendsTextAndHtmlWithTheHeadersOfMailByMachines) {
  const auto sender = Open({.bounces = "bounces@vng.example"});
  const Sending sending = sender->Send(MailTo("j.jansen@gemeente.example"));
  ASSERT_TRUE(sending.trouble.ok() && sending.outcome) << sending.trouble;
  EXPECT_TRUE(sending.outcome->sent());
  EXPECT_EQ(sending.outcome->smtp_code(), 250);
  EXPECT_EQ(sending.outcome->enhanced_code(), "2.0.0");
  ASSERT_EQ(server_.mails().size(), 1u);
  const FakeSmtp::Mail mail = server_.mails()[0];
  EXPECT_EQ(mail.from, "bounces+GM0363.uitnodiging.2=abcdefgh01234567@vng.example");
  EXPECT_EQ(mail.to, "j.jansen@gemeente.example");
  for (const char* line : {"From: \"VNG, \\\"peiling\\\"\" <peiling@vng.example>", "To: \"J. Jansen\" <j.jansen@gemeente.example>",
                           "Subject: Uitnodiging", "Reply-To: vragen@vng.example", "Auto-Submitted: auto-generated",
                           "Message-ID: <surveys.vn.waves.2026.messages.GM0363.uitnodiging.2=abcdefgh01234567@vng.example>",
                           "X-Peiling-Message: surveys/vn/waves/2026/messages/GM0363.uitnodiging.2",
                           "List-Unsubscribe: <https://peiling.example/v1/unsubscriptions/abc>",
                           "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Content-Type: multipart/alternative; boundary=",
                           "Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8",
                           // Quoted-printable, and a line that is a dot alone.
                           "Beste Jos=C3=A9,\n..\nTot ziens"}) {
    EXPECT_THAT(mail.text, HasSubstr(line));
  }
}

TEST_F(SmtpTest, OneConnectionCarriesManyMails) {
  const auto sender = Open({});
  ASSERT_TRUE(sender->Check().ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sender->Send(MailTo("a@gemeente.example")).outcome->sent());
  EXPECT_EQ(server_.connections(), 1);
  EXPECT_EQ(server_.mails().size(), 3u);
}

TEST_F(SmtpTest, AConnectionThatNothingMoreIsTakenOnIsNotTheServer) {
  server_.TakesNoops(1);
  const auto sender = Open({});
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(sender->Check().ok());
    EXPECT_EQ(server_.connections(), i);
  }
  server_.TakesNoops(0);
  EXPECT_EQ(sender->Check().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(server_.connections(), 4) << "once more, and no oftener";
}

struct Refusal {
  const char* command;
  const char* reply;
  bool permanent, not_tried;
  const char* enhanced_code;
};

TEST_F(SmtpTest, TellsRefusalsOfTheMailFromThoseOfTheSender) {
  const Refusal refusals[] = {
      {"RCPT", "550 5.1.1 no such mailbox", true, false, "5.1.1"},
      {"RCPT", "550 no such mailbox", true, false, ""},
      {"RCPT", "550 5.1.1 relay@gemeente.example is none", true, false, "5.1.1"},
      {"RCPT", "552 5.2.2 mailbox full", true, false, "5.2.2"},
      {"RCPT", "451 4.7.1 greylisted", false, false, "4.7.1"},
      {"RCPT", "452 4.2.2 mailbox full", false, false, "4.2.2"},
      {".", "554 we do not want this", true, false, "5.0.0"},
      {".", "550 5.10.11: two digits", true, false, "5.10.11"},
      {".", "550 55.1.1 no code", true, false, "5.0.0"},
      {".", "451 4.3.0 try later", false, false, "4.3.0"},
      {"RCPT", "554 5.7.1 access denied", false, true, "5.7.1"},
      {"RCPT", "550 Relay not permitted", false, true, ""},
      {"RCPT", "550 5.7.54 SMTP; Unable to relay", false, true, "5.7.54"},
      {"RCPT", "530 5.7.0 authentication required", false, true, "5.7.0"},
      {"RCPT", "452 4.3.1 quota of this sender", false, true, "4.3.1"},
      {"RCPT", "421 4.3.2 closing", false, true, "4.3.2"},
      {".", "554 5.7.1 by policy", false, true, "5.7.1"},
      {"MAIL", "550 5.1.8 no such sender", false, true, "5.1.8"},
      {"MAIL", "451 4.3.2 not now", false, true, "4.3.2"},
      {"connect", "554 go away", false, true, ""},
  };
  for (const Refusal& refusal : refusals) {
    FakeSmtp server;
    server.Answers(refusal.command, "", refusal.reply);
    const auto sender = SmtpSender::Open({.url = server.url(), .insecure = true});
    const Sending sending = (*sender)->Send(MailTo("a@gemeente.example"));
    ASSERT_TRUE(sending.outcome) << refusal.reply;
    EXPECT_FALSE(sending.outcome->sent()) << refusal.reply;
    EXPECT_EQ(sending.outcome->permanent(), refusal.permanent) << refusal.reply;
    EXPECT_EQ(sending.outcome->not_tried(), refusal.not_tried) << refusal.reply;
    EXPECT_EQ(sending.outcome->enhanced_code(), refusal.enhanced_code) << refusal.reply;
    EXPECT_EQ(sending.trouble.ok(), !refusal.not_tried) << refusal.reply;
    EXPECT_EQ(sending.trouble.code() == absl::StatusCode::kPermissionDenied, refusal.not_tried && refusal.reply[0] == '5') << refusal.reply;
    EXPECT_TRUE(server.mails().empty());
  }
}

TEST_F(SmtpTest, ARelayInTheReceiversAddressIsNoRefusalOfTheSender) {
  server_.Answers("RCPT", "", "550 <relay@gemeente.example>: no such mailbox of J. Jansen\xE9");
  const Sending sending = Open({})->Send(MailTo("Relay@gemeente.example"));
  ASSERT_TRUE(sending.trouble.ok()) << sending.trouble;
  EXPECT_TRUE(sending.outcome->permanent());
  EXPECT_EQ(sending.outcome->diagnostic(), "<<…>>: no such mailbox of <…>\xEF\xBF\xBD") << "whom it was for is left out";
}

TEST_F(SmtpTest, WhoMayNotLogInSendsNothing) {
  server_.Answers("EHLO", "", "250-fake\r\n250 AUTH PLAIN");
  server_.Answers("AUTH", "", "535 5.7.8 wrong");
  TemporaryFolder folder;
  const auto sender = Open({.credentials_file = folder.Write("smtp.txt", "jan\ngeheim\n")});
  EXPECT_EQ(sender->Check().code(), absl::StatusCode::kPermissionDenied);
  const Sending sending = sender->Send(MailTo("a@gemeente.example"));
  EXPECT_TRUE(sending.outcome->not_tried());
  EXPECT_THAT(std::string(sending.trouble.message()), HasSubstr("535 5.7.8 wrong"));
}

TEST_F(SmtpTest, AServerThatHangsUpAfterTheMailMayHaveTakenIt) {
  server_.Answers(".", "stil", "");
  server_.Answers("RCPT", "weg", "");
  const auto sender = Open({});
  EXPECT_FALSE(sender->Send(MailTo("stil@gemeente.example")).outcome.has_value());
  EXPECT_TRUE(sender->Send(MailTo("weg@gemeente.example")).outcome->not_tried());
}

TEST_F(SmtpTest, WhatIsNoMailIsNotSent) {
  const auto sender = Open({});
  const Sending nobody = sender->Send(MailTo("a@gemeente.example>\r\nRCPT TO:<b@gemeente.example"));
  EXPECT_TRUE(nobody.outcome->permanent());
  EXPECT_EQ(nobody.outcome->enhanced_code(), "5.1.3");
  LeasedMessage mail = MailTo("a@gemeente.example");
  mail.mutable_content()->set_unsubscribe_url("http://peiling.example/v1/unsubscriptions/abc");
  const Sending unsafe = sender->Send(mail);
  EXPECT_TRUE(unsafe.outcome->not_tried());
  EXPECT_EQ(unsafe.trouble.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server_.connections(), 0);
}

TEST_F(SmtpTest, TakesNoServerWithoutTlsButOnThisMachineAndWhenAsked) {
  auto sender = SmtpSender::Open({.url = server_.url()});
  ASSERT_TRUE(sender.ok()) << sender.status();
  EXPECT_EQ((*sender)->Check().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE((*sender)->Send(MailTo("a@gemeente.example")).outcome->not_tried());
  EXPECT_TRUE(server_.mails().empty());
  for (const char* url : {"smtp://mail.example.nl", "http://127.0.0.1", "127.0.0.1", "smtp://user:password@127.0.0.1", "smtps://10.0.0.1",
                          "smtp://127.evil.nl"}) {
    EXPECT_EQ(SmtpSender::Open({.url = url, .insecure = true}).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
  for (const std::string& bounces : std::initializer_list<std::string>{"niets", "a b@vng.example", std::string(41, 'a') + "@vng.example"}) {
    EXPECT_FALSE(SmtpSender::Open({.url = "smtp://127.0.0.1", .bounces = bounces}).ok()) << bounces;
  }
}

}  // namespace
}  // namespace peiling::ctl::testing
