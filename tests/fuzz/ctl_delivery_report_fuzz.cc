// Any bytes as a mail that should report what became of ours: reading neither crashes nor hangs, and every event is one that the outbox
// takes.
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/ctl/client/delivery_report.h"
#include "tests/fuzz/mutate.h"

namespace peiling::ctl {
namespace {

constexpr char kWave[] = "surveys/vn/waves/2026";
constexpr char kReport[] =
    "Envelope-to: bounces+GM0363.uitnodiging.GM0363-2=abcdefgh01234567@vng.example\nTo: b@vng.example\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=\"x=1\"\nMessage-Id: <E1@mail.example>\n"
    "Date: Sun, 22 Nov 2026 12:45:00 +0100 (CET)\n\n--x=1\nContent-type: text/plain\n\nNo.\n\n"
    "--x=1\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n"
    "Action: failed\nFinal-Recipient: rfc822;a@b.nl\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1\n <a@b.nl>: no\n\n"
    "Action: delayed\nFinal-Recipient: rfc822;c@b.nl\nStatus: 4.4.1\n\n"
    "--x=1\nContent-type: message/rfc822\n\nReturn-path: <bounces+=abcdefgh01234567@vng.example>\n"
    "Message-ID: <surveys.vn.waves.2026.messages.GM0363.uitnodiging.GM0363-2=abcdefgh01234567@vng.example>\n"
    "X-Peiling-Message: surveys/vn/waves/2026/messages/GM0363.uitnodiging.GM0363-2\nContent-Type: multipart/alternative; boundary=y\n\n"
    "--y\n\nText\n--y--\n\n--x=1--\n";

TEST(DeliveryReportFuzz, HoldsForAnyBytes) {
  const std::vector<std::string> corpus = {kReport, "Subject: Afwezig\n\nIk ben er niet.\n"};
  fuzz::Mutator mutator(20261122, {"\n\n",
                                   "\r\n",
                                   "--x=1",
                                   "--x=1--",
                                   "--y",
                                   ":",
                                   ";",
                                   "Content-Type: message/rfc822\n\n",
                                   "boundary=",
                                   "\"",
                                   "Content-Transfer-Encoding: base64\n",
                                   "Content-Transfer-Encoding: quoted-printable\n",
                                   "=",
                                   "=3D",
                                   "\t",
                                   "Action: ",
                                   "Status: 5.0.0",
                                   "smtp; 550 ",
                                   "rfc822;",
                                   "Content-type: message/delivery-status\n\n",
                                   std::string(1, '\0'),
                                   "\xFF",
                                   "(",
                                   "<",
                                   ">",
                                   "@",
                                   "+"});
  int events_seen = 0;
  fuzz::Run(corpus, std::move(mutator), [&](const std::string& text) {
    for (const bool without_token : {false, true}) {
      const auto events = ReadDeliveryReport(text, {.wave = kWave, .without_token = without_token}, absl::FromUnixSeconds(1'800'000'000));
      if (!events.ok()) {
        ASSERT_TRUE(absl::StartsWith(status::Reason(events.status()), "REPORT_")) << events.status();
        continue;
      }
      ASSERT_FALSE(events->empty());
      for (const auto& event : *events) {
        ++events_seen;
        ASSERT_TRUE(names::Match(event.message(), "surveys/*/waves/*/messages/*")) << event.message();
        ASSERT_EQ(names::WaveOf(event.message()), kWave);
        ASSERT_TRUE(without_token || !event.return_token().empty());
        ASSERT_NE(event.kind(), fieldwork::v1::DELIVERY_EVENT_KIND_UNSPECIFIED);
        ASSERT_TRUE(event.smtp_code() == 0 || (event.smtp_code() >= 200 && event.smtp_code() <= 599));
        ASSERT_LE(event.diagnostic().size(), 1000u);
        ASSERT_TRUE(text::IsValidUtf8(event.diagnostic()));
        ASSERT_EQ(event.event_id().size(), 64u);
        ASSERT_LE(event.time().seconds(), 1'800'000'000);
      }
    }
  });
  EXPECT_GT(events_seen, 100) << "reports were among them";
}

}  // namespace
}  // namespace peiling::ctl
