// What reports of mail servers say of our mails.
#include "services/ctl/client/delivery_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"

namespace peiling::ctl::testing {
namespace {

using fieldwork::v1::DeliveryEvent;

constexpr char kWave[] = "surveys/vn/waves/2026";
constexpr char kTo[] = "bounces+GM0363.uitnodiging.GM0363-2=abcdefgh01234567@vng.example";

// As Exim writes them.
std::string AReport(const std::string& group, const std::string& to = kTo, const std::string& returned = "Subject: Uitnodiging\n",
                    const std::string& returned_type = "text/rfc822-headers") {
  return absl::StrCat("Envelope-to: ", to, "\nFrom: Mail Delivery System <Mailer-Daemon@mail.example>\nTo: ", to,
                      "\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"grens=1\"\nMIME-Version: 1.0\n"
                      "Message-Id: <E1@mail.example>\nDate: Sun, 22 Nov 2026 12:45:00 +0100\n\n"
                      "--grens=1\nContent-type: text/plain; charset=us-ascii\n\nThis message was created automatically.\n\n"
                      "--grens=1\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n",
                      group, "\n--grens=1\nContent-type: ", returned_type, "\n\n", returned, "\n\n--grens=1--\n");
}

std::string Group(const std::string& action, const std::string& status, const std::string& diagnostic = "") {
  return absl::StrCat("Action: ", action, "\nFinal-Recipient: rfc822;j.jansen@gemeente.example\nStatus: ", status, "\n",
                      diagnostic.empty() ? "" : absl::StrCat("Diagnostic-Code: ", diagnostic, "\n"));
}

absl::Time Now() { return absl::FromUnixSeconds(1'800'000'000); }

absl::StatusOr<std::vector<DeliveryEvent>> Read(const std::string& mail, bool without_token = false) {
  return ReadDeliveryReport(mail, {.wave = kWave, .without_token = without_token}, Now());
}

DeliveryEvent OneOf(const std::string& mail) {
  const auto events = Read(mail);
  EXPECT_TRUE(events.ok()) << events.status();
  if (!events.ok() || events->size() != 1) return {};
  return events->front();
}

TEST(DeliveryReportTest, SaysWhatBecameOfWhichMessageWhen) {
  const DeliveryEvent event = OneOf(AReport(Group("failed", "5.1.1", "smtp; 550 5.1.1\n <j.jansen@gemeente.example>: unknown")));
  EXPECT_EQ(event.message(), "surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2");
  EXPECT_EQ(event.return_token(), "abcdefgh01234567");
  EXPECT_EQ(event.kind(), fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE);
  EXPECT_EQ(event.smtp_code(), 550);
  EXPECT_EQ(event.enhanced_code(), "5.1.1");
  EXPECT_EQ(event.diagnostic(), "5.1.1 <j.jansen@gemeente.example>: unknown");
  EXPECT_EQ(google::protobuf::util::TimeUtil::ToString(event.time()), "2026-11-22T11:45:00Z");
  EXPECT_EQ(event.provider(), "dsn");
}

TEST(DeliveryReportTest, TheSameMailIsTheSameEvent) {
  const std::string mail = AReport(Group("failed", "5.1.1"));
  EXPECT_EQ(OneOf(mail).event_id(), OneOf(absl::StrReplaceAll(mail, {{"\n", "\r\n"}})).event_id());
  EXPECT_NE(OneOf(mail).event_id(), OneOf(absl::StrReplaceAll(mail, {{"<E1@", "<E2@"}})).event_id());
  EXPECT_NE(OneOf(mail).event_id(), OneOf(absl::StrReplaceAll(mail, {{"rfc822;j.", "rfc822;k."}})).event_id());
  EXPECT_EQ(OneOf(mail).event_id().find("jansen"), std::string::npos);
}

struct Kind {
  const char *action, *status, *diagnostic;
  fieldwork::v1::DeliveryEventKind kind;
};

TEST(DeliveryReportTest, OnlyWhatIsTheAddressesFaultIsAHardBounce) {
  const Kind kinds[] = {
      {"failed", "5.1.1", "", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"Failed", "5.2.1", "", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"failed", "5.0.0", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "5.0.0", "X-Local; user unknown", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"failed", "5.0.0", "smtp; 550 no such user", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"failed", "5.0.0", "smtp; 550 5.7.1 by policy", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "5.0.0", "smtp; 554 no", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "5.7.1", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "5.1.8", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "5.2.2", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"failed", "4.4.7", "", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"delayed", "4.4.1", "", fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE},
      {"delivered", "2.0.0", "X-Exim; relayed via non SMTP router", fieldwork::v1::DELIVERY_EVENT_KIND_DELIVERED},
      {"relayed", "2.0.0", "", fieldwork::v1::DELIVERY_EVENT_KIND_ACCEPTED},
  };
  for (const Kind& kind : kinds) {
    EXPECT_EQ(OneOf(AReport(Group(kind.action, kind.status, kind.diagnostic))).kind(), kind.kind)
        << kind.action << " " << kind.status << " " << kind.diagnostic;
  }
}

TEST(DeliveryReportTest, WithoutACodeTheWordsForPeopleSayWhetherTheAddressIsToBlame) {
  const struct {
    const char *words, *status;
    fieldwork::v1::DeliveryEventKind kind;
  } cases[] = {
      {"Unrouteable address", "5.0.0", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"Unrouteable address", "", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"User unknown", "5.0.0", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"retry timeout exceeded", "5.0.0", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"User unknown", "5.7.1", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
      {"User unknown", "4.0.0", fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED},
  };
  for (const auto& [words, status, kind] : cases) {
    const std::string mail =
        absl::StrReplaceAll(AReport(Group("failed", status)),
                            {{"created automatically.", absl::StrCat("created.\n\n  j.jansen@gemeente.example\n    ", words)}});
    EXPECT_EQ(OneOf(mail).kind(), kind) << words << " " << status;
  }
}

TEST(DeliveryReportTest, WhatWasForwardedDoesNotBlameTheAddressThatForwardedIt) {
  const std::string failed = Group("failed", "5.1.1");
  const struct {
    std::string what, group, returned, header;
    fieldwork::v1::DeliveryEventKind kind;
  } cases[] = {
      {"as it was sent", failed, "To: \"J. <J> Jansen\"\n <J.Jansen@gemeente.example>\n", "",
       fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"forwarded", failed, "To: wethouder@gemeente.example\n", "", fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE},
      {"known by where it went first", failed + "Original-Recipient: rfc822;wethouder@gemeente.example\n",
       "To: wethouder@gemeente.example\n", "", fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"forwarded, as Exim says it", failed, "To: j.jansen@gemeente.example\n", "X-Failed-Recipients: jan@thuis.example\n",
       fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE},
      {"one of Exim's", failed, "To: j.jansen@gemeente.example\n", "X-Failed-Recipients: jan@thuis.example,\n  j.jansen@gemeente.example\n",
       fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"nobody knows", "Action: failed\nStatus: 5.1.1\n", "To: j.jansen@gemeente.example\n", "",
       fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE},
      {"given up, forwarded", Group("failed", "5.4.7"), "To: wethouder@gemeente.example\n", "",
       fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE},
      {"arrived, forwarded", Group("delivered", "2.0.0"), "To: wethouder@gemeente.example\n", "",
       fieldwork::v1::DELIVERY_EVENT_KIND_DELIVERED},
  };
  for (const auto& [what, group, returned, header, kind] : cases) {
    EXPECT_EQ(OneOf(header + AReport(group, kTo, returned)).kind(), kind) << what;
  }
}

TEST(DeliveryReportTest, EachReceiverIsAnEvent) {
  const auto events = Read(
      AReport(absl::StrCat(Group("failed", "5.1.1"), "\n", absl::StrReplaceAll(Group("delivered", "2.0.0"), {{"j.jansen", "k.jansen"}}))));
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2u);
  EXPECT_NE((*events)[0].event_id(), (*events)[1].event_id());
}

TEST(DeliveryReportTest, FindsTheMessageInWhatCameBack) {
  const std::string message_id = "Message-ID: <surveys.vn.waves.2026.messages.GM0363.uitnodiging.GM0363-2=abcdefgh01234567@vng.example>\n";
  const std::string named = "X-Peiling-Message: surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2\n";
  const std::string returned = "Return-path: <bounces+=abcdefgh01234567@vng.example>\nSubject: x\n" + named;
  struct {
    std::string to, returned;
  } const cases[] = {
      {"bounces@vng.example", message_id},
      {"bounces@vng.example", returned},
      {"bounces+=abcdefgh01234567@vng.example", named},
      {"bounces+gm0363.uitnodiging.gm0363-2=abcdefgh01234567@vng.example", named},
  };
  for (const auto& [to, head] : cases) {
    for (const char* type : {"text/rfc822-headers", "message/rfc822"}) {
      const DeliveryEvent event = OneOf(AReport(Group("failed", "5.1.1"), to, head, type));
      EXPECT_EQ(event.message(), "surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2") << to << head;
      EXPECT_EQ(event.return_token(), "abcdefgh01234567") << to << head;
    }
  }
}

TEST(DeliveryReportTest, ReadsPartsThatWereWrappedUp) {
  const std::string plain = AReport("");
  const std::string wrapped =
      absl::StrReplaceAll(plain, {{"message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n",
                                   "message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
                                   "UmVwb3J0aW5nLU1UQTogZG5zOyBhCgpBY3Rpb246IGZhaWxlZApGaW5hbC1SZWNpcGllbnQ6IHJmYzgy\n"
                                   "MjthQGIubmwKU3RhdHVzOiA1LjEuMQo=\n"}});
  EXPECT_EQ(OneOf(wrapped).enhanced_code(), "5.1.1");
}

TEST(DeliveryReportTest, SaysWhyAMailTellsNothing) {
  const std::string headers = "X-Peiling-Message: surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2\n";
  struct {
    std::string mail;
    const char* reason;
  } const cases[] = {
      {"Subject: Afwezig\nFrom: a@b.nl\n\nIk ben er niet.\n", "REPORT_NONE"},
      {"", "REPORT_NONE"},
      {AReport(""), "REPORT_UNREADABLE"},
      {AReport("Action: iets\nFinal-Recipient: rfc822;a@b.nl\n"), "REPORT_UNREADABLE"},
      {AReport(Group("failed", "5.1.1"), "bounces@vng.example"), "REPORT_OF_NOTHING"},
      {AReport(Group("failed", "5.1.1"), "bounces@vng.example", headers), "REPORT_UNPROVEN"},
      {AReport(Group("failed", "5.1.1"), "b@vng.example", "Message-ID: <surveys.vn.waves.2024.messages.GM0363.u.1=abc@vng.example>\n"),
       "REPORT_OF_OTHER_WAVE"},
      {std::string((1 << 20) + 1, 'x'), "REPORT_TOO_LARGE"},
  };
  for (const auto& [mail, reason] : cases) EXPECT_EQ(status::Reason(Read(mail).status()), reason) << mail.substr(0, 2000);
  EXPECT_TRUE(Read(AReport(Group("failed", "5.1.1"), "bounces@vng.example", headers), /*without_token=*/true).ok());
  std::string deep;
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&deep, "Content-Type: message/rfc822\n\n");
  EXPECT_EQ(status::Reason(Read(deep).status()), "REPORT_UNREADABLE");
}

TEST(DeliveryReportTest, NothingHappensLater) {
  const std::string mail = absl::StrReplaceAll(AReport(Group("failed", "5.1.1")), {{"Nov 2026", "Nov 2096"}});
  EXPECT_EQ(OneOf(mail).time().seconds(), absl::ToUnixSeconds(Now()));
}

}  // namespace
}  // namespace peiling::ctl::testing
