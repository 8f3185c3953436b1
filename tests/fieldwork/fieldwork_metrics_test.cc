#include "services/fieldwork/progress/fieldwork_metrics.h"

#include <gtest/gtest.h>

#include <map>

#include "services/common/server/metrics.h"
#include "tests/fieldwork/progress_setting.h"

namespace peiling::fieldwork {
namespace {

class OneWave final : public WaveBook {
 public:
  std::vector<std::string> Waves() const override { return {kWave}; }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Get(const std::string&) const override { return MakeWave(); }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Details(const std::string&) const override { return MakeWave(); }
  std::optional<ResponseStand> Response(const std::string&, const std::string&) const override { return std::nullopt; }
  void ForEachResponse(const std::string&, const std::function<void(const std::string&, const ResponseStand&)>& visit) const override {
    visit("GM0001", MakeStand(intake::v1::RESPONSE_STATE_STARTED, {"GM0001"}, 1));
    visit("GM0002", MakeStand(intake::v1::RESPONSE_STATE_SUBMITTED, {"GM0002"}, 40));
  }
  bool HasSubmittedRecord(const std::string&, const std::string&) const override { return false; }
  uint64_t Version(const std::string&) const override { return 1; }
  uint64_t AwaitChange(uint64_t, absl::Duration) const override { return 1; }
};

// By name and state.
std::map<std::string, double> Values() {
  std::map<std::string, double> values;
  for (const auto& family : server::Metrics().Collect()) {
    for (const auto& metric : family.metric) {
      std::string name = family.name;
      for (const auto& label : metric.label) {
        if (label.name == "state") name += " " + label.value;
      }
      values[name] = metric.gauge.value;
    }
  }
  return values;
}

TEST(FieldworkMetricsTest, SaysHowMuchMailIsDueAndForHowLong) {
  const absl::Time now = *calendar::ParseLocalMinute("2026-03-24 12:00");
  std::vector<v1::Message> messages = {MakeMessage("GM0001", v1::MESSAGE_STATE_DUE), MakeMessage("GM0002", v1::MESSAGE_STATE_DUE),
                                       MakeMessage("GM0003", v1::MESSAGE_STATE_UNCERTAIN)};
  *messages[0].mutable_due_at() = calendar::ToProto(now - absl::Minutes(90));
  *messages[1].mutable_due_at() = calendar::ToProto(now - absl::Minutes(5));
  *messages[2].mutable_due_at() = calendar::ToProto(now - absl::Hours(30));
  const OneWave book;
  absl::Status readable;
  FieldworkMetrics metrics({.book = book,
                            .for_each_invitation =
                                [](const auto&, const auto& visit) {
                                  visit(MakeInvitation({"GM0001"}));
                                  return absl::OkStatus();
                                },
                            .for_each_message =
                                [&](const auto&, const auto& visit) {
                                  for (const auto& message : messages) visit(message);
                                  return readable;
                                }},
                           [now] { return now; });
  metrics.Measure();
  auto values = Values();
  EXPECT_EQ(values["peiling_mail_messages due"], 2);
  EXPECT_EQ(values["peiling_mail_messages uncertain"], 1);
  EXPECT_EQ(values["peiling_mail_messages sent"], 0);
  EXPECT_EQ(values["peiling_mail_oldest_due_seconds"], 5400);
  EXPECT_EQ(values["peiling_invitations issued"], 1);
  EXPECT_EQ(values["peiling_drafts"], 1);

  // What cannot be read keeps its numbers.
  messages.clear();
  readable = absl::UnavailableError("down");
  metrics.Measure();
  EXPECT_EQ(Values()["peiling_mail_messages due"], 2);
  readable = absl::OkStatus();
  metrics.Measure();
  EXPECT_EQ(Values()["peiling_mail_messages due"], 0);
  EXPECT_EQ(Values()["peiling_mail_oldest_due_seconds"], 0);
}

}  // namespace
}  // namespace peiling::fieldwork
