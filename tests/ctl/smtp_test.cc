// Mails, and sending them.
#include "services/ctl/client/smtp.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/mail_text.h"
#include "tests/ctl/fake_smtp.h"

namespace peiling::ctl::testing {
namespace {

using fieldwork::v1::LeasedMessage;
using ::testing::HasSubstr;

LeasedMessage MailTo(const std::string& address) {
  LeasedMessage message;
  message.set_message("surveys/vn/waves/2026/messages/GM0363.uitnodiging.2");
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

TEST(MailTextTest, TextOfHeadersIsOneLineAndAscii) {
  EXPECT_EQ(HeaderText("Uitnodiging 2026"), "Uitnodiging 2026");
  EXPECT_EQ(HeaderText("a\r\nBcc: b"), "a  Bcc: b");
  EXPECT_EQ(HeaderText("Súdwest"), "=?UTF-8?B?U8O6ZHdlc3Q=?=");
  // What looks like an encoded word is none.
  EXPECT_EQ(HeaderText("=?UTF-8?B?YQ==?="), "=?UTF-8?B?PT9VVEYtOD9CP1lRPT0/PQ==?=");
  EXPECT_EQ(HeaderAddress("", "a@b.nl"), "a@b.nl");
  EXPECT_EQ(HeaderAddress("Jan \"x\" Jansen", "a@b.nl"), "\"Jan \\\"x\\\" Jansen\" <a@b.nl>");
  EXPECT_EQ(HeaderAddress("José", "a@b.nl"), "=?UTF-8?B?Sm9zw6k=?= <a@b.nl>");
}

TEST(MailTextTest, LongTextIsEncodedInWordsThatEndBetweenLetters) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "é€";
  std::string decoded;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(HeaderText(text), "\r\n "))) {
    EXPECT_LE(line.size(), 75u);
    std::string part;
    ASSERT_TRUE(absl::Base64Unescape(line.substr(10, line.size() - 12), &part)) << line;
    EXPECT_NE(static_cast<unsigned char>(part[0]) & 0xC0, 0x80);
    decoded += part;
  }
  EXPECT_EQ(decoded, text);
}

TEST(MailTextTest, TheSendersAddressHoldsTheMessageWhenItFits) {
  EXPECT_EQ(EnvelopeSender("b@x.nl", "surveys/s/waves/w/messages/GM0363.u.2", true), "b+GM0363.u.2@x.nl");
  EXPECT_EQ(EnvelopeSender("b@x.nl", "surveys/s/waves/w/messages/GM0363.u.2", false), "b@x.nl");
  EXPECT_EQ(EnvelopeSender("b@x.nl", "surveys/s/waves/w/messages/" + std::string(63, 'a'), true), "b@x.nl");
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
  const auto sender = Open({.envelope_sender = "bounces@vng.example", .verp = true});
  const auto outcome = sender->Send(MailTo("j.jansen@gemeente.example"));
  ASSERT_TRUE(outcome.ok() && *outcome) << outcome.status();
  EXPECT_TRUE((*outcome)->sent());
  EXPECT_EQ((*outcome)->smtp_code(), 250);
  EXPECT_EQ((*outcome)->enhanced_code(), "2.0.0");
  ASSERT_EQ(server_.mails().size(), 1u);
  const FakeSmtp::Mail mail = server_.mails()[0];
  EXPECT_EQ(mail.from, "bounces+GM0363.uitnodiging.2@vng.example");
  EXPECT_EQ(mail.to, "j.jansen@gemeente.example");
  for (const char* line : {"From: \"VNG, \\\"peiling\\\"\" <peiling@vng.example>", "To: \"J. Jansen\" <j.jansen@gemeente.example>",
                           "Subject: Uitnodiging", "Reply-To: vragen@vng.example", "Auto-Submitted: auto-generated",
                           "Message-ID: <surveys.vn.waves.2026.messages.GM0363.uitnodiging.2@vng.example>",
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
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sender->Send(MailTo("a@gemeente.example")).ok());
  EXPECT_EQ(server_.connections(), 1);
  EXPECT_EQ(server_.mails().size(), 3u);
}

TEST_F(SmtpTest, TellsRefusalsOfTheMailFromThoseOfTheSender) {
  server_.Answers("RCPT", "weg", "550 5.1.1 no such mailbox");
  server_.Answers("RCPT", "druk", "451 4.2.1 try later");
  server_.Answers(".", "spam", "554 we do not want this");
  const auto sender = Open({});
  const auto send = [&](const std::string& address) {
    const auto outcome = sender->Send(MailTo(address));
    EXPECT_TRUE(outcome.ok() && *outcome) << outcome.status();
    EXPECT_FALSE((*outcome)->sent());
    return **outcome;
  };
  // A server may say anything.
  server_.Answers("RCPT", "vreemd", "550 5.1.1 onbekend\xE9");
  EXPECT_EQ(send("vreemd@gemeente.example").diagnostic(), "5.1.1 onbekend\xEF\xBF\xBD");
  const auto gone = send("weg@gemeente.example");
  EXPECT_TRUE(gone.permanent());
  EXPECT_EQ(gone.smtp_code(), 550);
  EXPECT_EQ(gone.enhanced_code(), "5.1.1");
  EXPECT_EQ(gone.diagnostic(), "5.1.1 no such mailbox");
  EXPECT_FALSE(send("druk@gemeente.example").permanent());
  const auto unwanted = send("spam@gemeente.example");
  EXPECT_TRUE(unwanted.permanent());
  EXPECT_EQ(unwanted.enhanced_code(), "5.0.0") << "it is not the address that is refused";
  server_.Answers("MAIL", "", "550 5.7.1 you may not send");
  const auto outcome = sender->Send(MailTo("a@gemeente.example"));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("you may not send"));
}

TEST_F(SmtpTest, AServerThatHangsUpAfterTheMailMayHaveTakenIt) {
  server_.Answers(".", "stil", "");
  server_.Answers("RCPT", "weg", "");
  const auto sender = Open({});
  const auto silent = sender->Send(MailTo("stil@gemeente.example"));
  ASSERT_TRUE(silent.ok()) << silent.status();
  EXPECT_FALSE(silent->has_value());
  EXPECT_EQ(sender->Send(MailTo("weg@gemeente.example")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SmtpTest, TakesNoServerWithoutTlsButOnThisMachineAndWhenAsked) {
  auto sender = SmtpSender::Open({.url = server_.url()});
  ASSERT_TRUE(sender.ok()) << sender.status();
  EXPECT_EQ((*sender)->Check().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ((*sender)->Send(MailTo("a@gemeente.example")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(server_.mails().empty());
  for (const char* url :
       {"smtp://mail.example.nl", "http://127.0.0.1", "127.0.0.1", "smtp://user:password@127.0.0.1", "smtps://10.0.0.1"}) {
    EXPECT_EQ(SmtpSender::Open({.url = url, .insecure = true}).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace peiling::ctl::testing
