// The heads of mails, and what comes back of them.
#include "services/ctl/client/mail_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"

namespace peiling::ctl::testing {
namespace {

using fieldwork::v1::LeasedMessage;
using ::testing::HasSubstr;

constexpr char kName[] = "surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2";
constexpr char kToken[] = "abcdefgh01234567";

LeasedMessage AMail() {
  LeasedMessage message;
  message.set_message(kName);
  message.set_return_token(kToken);
  auto& content = *message.mutable_content();
  content.set_to_address("j.jansen@gemeente.example");
  content.set_from_address("peiling@vng.example");
  content.set_subject("Uitnodiging");
  return message;
}

std::string HeadersOf(const LeasedMessage& message) {
  const auto headers = MailHeaders(message, absl::UnixEpoch());
  return headers.ok() ? absl::StrJoin(*headers, "\r\n") : headers.status().ToString();
}

TEST(MailTextTest, TextOfHeadersIsOneLineAndAscii) {
  EXPECT_EQ(TextHeader("Subject", "Uitnodiging 2026"), "Subject: Uitnodiging 2026");
  EXPECT_EQ(TextHeader("Subject", "a\r\nBcc: b"), "Subject: a Bcc: b");
  EXPECT_EQ(TextHeader("Subject", "a\r\n\r\n\tb\0c"), "Subject: a b");
  EXPECT_EQ(TextHeader("Subject", "Súdwest"), "Subject: =?UTF-8?B?U8O6ZHdlc3Q=?=");
  // What looks like an encoded word is none.
  EXPECT_EQ(TextHeader("Subject", "=?UTF-8?B?YQ==?="), "Subject: =?UTF-8?B?PT9VVEYtOD9CP1lRPT0/PQ==?=");
  EXPECT_EQ(AddressHeader("To", "", "a@b.nl"), "To: a@b.nl");
  EXPECT_EQ(AddressHeader("To", "Jan \"x\" Jansen", "a@b.nl"), "To: \"Jan \\\"x\\\" Jansen\" <a@b.nl>");
  EXPECT_EQ(AddressHeader("To", "x\r\n <b@c.nl>, y\\", "a@b.nl"), "To: \"x <b@c.nl>, y\\\\\" <a@b.nl>");
  EXPECT_EQ(AddressHeader("To", "José", "a@b.nl"), "To: =?UTF-8?B?Sm9zw6k=?= <a@b.nl>");
}

TEST(MailTextTest, LinesAreFoldedBetweenWords) {
  std::string text;
  for (int i = 0; i < 60; ++i) absl::StrAppend(&text, i == 0 ? "" : " ", "woord", i);
  for (const std::string& header : {TextHeader("Subject", text), AddressHeader("Reply-To", text, "a@b.nl")}) {
    const std::vector<std::string> lines = absl::StrSplit(header, "\r\n");
    EXPECT_GT(lines.size(), 5u);
    for (const std::string& line : lines) {
      EXPECT_LE(line.size(), 76u) << line;
      EXPECT_TRUE(&line == &lines[0] || (line[0] == ' ' && line.size() > 1)) << line;
    }
    EXPECT_THAT(absl::StrJoin(lines, ""), HasSubstr(text));
  }
  EXPECT_THAT(TextHeader("Subject", std::string(3000, 'x')), HasSubstr("=?UTF-8?B?")) << "one word that is too long for a line";
}

TEST(MailTextTest, LongTextIsEncodedInWordsThatEndBetweenLetters) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "é€";
  std::string decoded;
  for (std::string line : std::vector<std::string>(absl::StrSplit(TextHeader("Subject", text), "\r\n"))) {
    EXPECT_LE(line.size(), 76u);
    line = line.substr(line.find("=?"));
    std::string part;
    ASSERT_TRUE(absl::Base64Unescape(line.substr(10, line.size() - 12), &part)) << line;
    EXPECT_NE(static_cast<unsigned char>(part[0]) & 0xC0, 0x80);
    decoded += part;
  }
  EXPECT_EQ(decoded, text);
}

TEST(MailTextTest, AddressesOnTheWireAreNothingElse) {
  EXPECT_EQ(WireAddress("J.Jansen+x@Gemeente.example"), "J.Jansen+x@gemeente.example");
  EXPECT_EQ(WireAddress("info@súdwest.example"), "info@xn--sdwest-pya.example");
  for (const std::string_view none : std::initializer_list<std::string_view>{
           "", "a", "a@", "@b.nl", "a b@c.nl", "a@b.nl\r\nBcc: c@d.nl", "a@b.nl>", "<a@b.nl", "a,b@c.nl", "\"a\"@b.nl", "a@b@c.nl",
           "josé@b.nl", "a..b@c.nl", "a@b.nl, c@d.nl", "a@b nl", std::string_view("a@b.nl\0", 7)}) {
    EXPECT_FALSE(WireAddress(none).has_value()) << none;
  }
}

TEST(MailTextTest, SaysHowToUnsubscribeAsRfc8058HasIt) {
  LeasedMessage message = AMail();
  EXPECT_EQ(HeadersOf(message).find("List-Unsubscribe"), std::string::npos);
  for (const char* url :
       {"https://peiling.example/v1/unsubscriptions/abc", "http://127.0.0.1:7380/v1/u/abc", "http://localhost/u", "http://[::1]/u"}) {
    message.mutable_content()->set_unsubscribe_url(url);
    EXPECT_THAT(HeadersOf(message),
                HasSubstr(absl::StrCat("\r\nList-Unsubscribe: <", url, ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click")));
  }
  for (const char* url : {"http://peiling.example/u", "http://127.evil.nl/u", "ftp://127.0.0.1/u", "mailto:a@b.nl", "https://a/>\r\nBcc: b",
                          "https://a/b c", "https://a/,<mailto:b@c.nl"}) {
    message.mutable_content()->set_unsubscribe_url(url);
    EXPECT_THAT(HeadersOf(message), HasSubstr("MAIL_INVALID")) << url;
  }
}

TEST(MailTextTest, NothingThatWasLeasedBeginsAHeader) {
  LeasedMessage message = AMail();
  auto& content = *message.mutable_content();
  content.set_from_name("VNG\r\nBcc: a@b.nl");
  content.set_to_name("J\r\n\r\nText");
  content.set_subject("x\nBcc: a@b.nl");
  content.set_language("nl\r\nBcc: a@b.nl");
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(HeadersOf(message), "\r\n"))) {
    EXPECT_FALSE(line.empty());
    EXPECT_NE(line.substr(0, 3), "Bcc");
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
  content.set_reply_to("a@b.nl\r\nBcc: c@d.nl");
  EXPECT_THAT(HeadersOf(message), HasSubstr("MAIL_INVALID"));
  message = AMail();
  message.set_message("surveys/x\r\nBcc: a@b.nl");
  EXPECT_THAT(HeadersOf(message), HasSubstr("MAIL_INVALID"));
}

TEST(MailTextTest, AReportComesBackToAnAddressThatSaysOfWhat) {
  EXPECT_EQ(BounceAddress("b@x.nl", kName, kToken), "b+GM0363.uitnodiging.GM0363-2=abcdefgh01234567@x.nl");
  const auto back = ReadBounceAddress(BounceAddress("b+y@x.nl", kName, kToken));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->message, "GM0363.uitnodiging.GM0363-2");
  EXPECT_EQ(back->return_token, kToken);
  const std::string long_name = absl::StrCat("surveys/vn/waves/2026/messages/", std::string(60, 'a'));
  EXPECT_EQ(BounceAddress("b@x.nl", long_name, kToken), "b+=abcdefgh01234567@x.nl") << "no more than 64 characters before the '@'";
  EXPECT_EQ(ReadBounceAddress("b+=abcdefgh01234567@x.nl")->message, "");
  EXPECT_EQ(ReadBounceAddress("b+GM0363.u.1@x.nl")->return_token, "");
  for (const char* none : {"", "b@x.nl", "b+@x.nl", "b+/=a@x.nl", "b+a=b-c@x.nl", "b+ =a@x.nl"})
    EXPECT_FALSE(ReadBounceAddress(none)) << none;
}

TEST(MailTextTest, AMessageIdSaysWhichMailItIs) {
  const std::string headers = HeadersOf(AMail());
  const size_t begin = headers.find("Message-ID: ");
  const auto reference = ReadMessageId(headers.substr(begin + 12, headers.find("\r\n", begin) - begin - 12));
  ASSERT_TRUE(reference.has_value()) << headers;
  EXPECT_EQ(reference->message, kName);
  EXPECT_EQ(reference->return_token, kToken);
  for (const char* none : {"", "<a@b.nl>", "<surveys.a.waves.b@c.nl>", "<surveys.a.waves.b.messages.@c.nl>",
                           "<surveys.a.messages.b.waves.c@d.nl>", "surveys.a.waves.b.messages.c@d.nl", "<@"}) {
    EXPECT_FALSE(ReadMessageId(none)) << none;
  }
}

}  // namespace
}  // namespace peiling::ctl::testing
