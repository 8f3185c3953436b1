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

v1::StepStatus Step(const std::string& name, const std::map<v1::MessageState, int>& counts) {
  v1::StepStatus step;
  step.set_step(name);
  for (const auto& [state, number] : counts) {
    v1::StateCount& count = *step.add_states();
    count.set_state(state);
    count.set_count(number);
  }
  return step;
}

TEST(FieldworkMetricsTest, SaysHowMuchMailIsDueAndForHowLong) {
  const absl::Time now = *calendar::ParseLocalMinute("2026-03-24 12:00");
  std::vector<v1::StepStatus> steps = {Step("uitnodiging", {{v1::MESSAGE_STATE_DUE, 1}, {v1::MESSAGE_STATE_UNCERTAIN, 1}}),
                                       Step("herinnering", {{v1::MESSAGE_STATE_DUE, 1}})};
  std::optional<absl::Time> oldest = now - absl::Minutes(90);
  const OneWave book;
  absl::Status readable;
  uint64_t version = 1;
  int reads = 0;
  FieldworkMetrics metrics({.book = book,
                            .count_messages = [&](const auto&) -> absl::StatusOr<std::vector<v1::StepStatus>> {
                              if (!readable.ok()) return readable;
                              return steps;
                            },
                            .oldest_due = [&](const auto&) { return oldest; },
                            .invitations_version = [&](const auto&) { return version; },
                            .for_each_invitation =
                                [&](const auto&, const auto& visit) {
                                  ++reads;
                                  visit(MakeInvitation({"GM0001"}));
                                  return absl::OkStatus();
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
  steps.clear();
  oldest.reset();
  readable = absl::UnavailableError("down");
  metrics.Measure();
  EXPECT_EQ(Values()["peiling_mail_messages due"], 2);
  readable = absl::OkStatus();
  metrics.Measure();
  EXPECT_EQ(Values()["peiling_mail_messages due"], 0);
  EXPECT_EQ(Values()["peiling_mail_oldest_due_seconds"], 0);

  // Invitations that did not change are not read again.
  EXPECT_EQ(reads, 1);
  version = 2;
  metrics.Measure();
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(Values()["peiling_invitations issued"], 1);
}

}  // namespace
}  // namespace peiling::fieldwork
