#include "services/fieldwork/progress/fieldwork_metrics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "absl/strings/ascii.h"
#include "prometheus/gauge.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::fieldwork {
namespace {

// Between two looks while there is nothing yet.
constexpr absl::Duration kFirst = absl::Seconds(1);

using Gauges = prometheus::Family<prometheus::Gauge>;

Gauges& MakeGauges(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(server::Metrics());
}

// "MESSAGE_STATE_DUE" without its beginning: "due".
std::string StateLabel(const std::string& name, size_t prefix) { return absl::AsciiStrToLower(name.substr(prefix)); }

void SetMessages(const std::string& wave, const std::array<int64_t, v1::MessageState_ARRAYSIZE>& counts) {
  static Gauges& gauges = MakeGauges("peiling_mail_messages", "Messages of the outbox by state");
  for (int state = v1::MESSAGE_STATE_DUE; state < v1::MessageState_ARRAYSIZE; ++state) {
    const std::string label = StateLabel(v1::MessageState_Name(static_cast<v1::MessageState>(state)), sizeof("MESSAGE_STATE"));
    gauges.Add({{"wave", wave}, {"state", label}}).Set(static_cast<double>(counts[state]));
  }
}

void SetInvitations(const std::string& wave, const std::array<int64_t, v1::InvitationState_ARRAYSIZE>& counts) {
  static Gauges& gauges = MakeGauges("peiling_invitations", "Invitations by state");
  for (const auto state : {v1::INVITATION_STATE_ISSUED, v1::INVITATION_STATE_OPENED, v1::INVITATION_STATE_REVOKED}) {
    const std::string label = StateLabel(v1::InvitationState_Name(state), sizeof("INVITATION_STATE"));
    gauges.Add({{"wave", wave}, {"state", label}}).Set(static_cast<double>(counts[state]));
  }
}

void SetOldestDue(const std::string& wave, absl::Duration age) {
  static Gauges& gauges = MakeGauges("peiling_mail_oldest_due_seconds", "How long the oldest message that nobody took has been due");
  gauges.Add({{"wave", wave}}).Set(absl::ToDoubleSeconds(age));
}

void SetDrafts(const std::string& wave, int64_t drafts) {
  static Gauges& gauges = MakeGauges("peiling_drafts", "Responses begun and not submitted");
  gauges.Add({{"wave", wave}}).Set(static_cast<double>(drafts));
}

}  // namespace

void FieldworkMetrics::Start() { thread_ = std::thread(&FieldworkMetrics::Run, this); }

void FieldworkMetrics::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FieldworkMetrics::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    Measure();
    // Waves are read after a start.
    const absl::Duration pause = sources_.book.Waves().empty() ? std::min(kFirst, interval_) : interval_;
    lock.lock();
    wake_.wait_for(lock, absl::ToChronoNanoseconds(pause), [this] { return stopping_; });
  }
}

void FieldworkMetrics::Measure() {
  for (const std::string& wave : sources_.book.Waves()) {
    const absl::Status measured = Measure(wave);
    if (!measured.ok()) log::Warning("cannot measure the fieldwork", {{"wave", wave}, {"error", measured.ToString()}});
  }
}

absl::Status FieldworkMetrics::MeasureInvitations(const std::string& wave) {
  const auto version = sources_.invitations_version(wave);
  if (!version.ok()) return version.status();
  const auto known = invitations_.find(wave);
  if (known == invitations_.end() || known->second.version != *version) {
    Invitations invitations{.version = *version};
    const absl::Status read = sources_.for_each_invitation(wave, [&](const v1::Invitation& invitation) {
      if (v1::InvitationState_IsValid(invitation.state())) ++invitations.counts[invitation.state()];
    });
    if (!read.ok()) return read;
    invitations_[wave] = invitations;
  }
  SetInvitations(wave, invitations_[wave].counts);
  return absl::OkStatus();
}

absl::Status FieldworkMetrics::Measure(const std::string& wave) {
  const auto steps = sources_.count_messages(wave);
  if (!steps.ok()) return steps.status();
  const auto oldest = sources_.oldest_due(wave);
  if (!oldest.ok()) return oldest.status();
  if (absl::Status measured = MeasureInvitations(wave); !measured.ok()) return measured;
  std::array<int64_t, v1::MessageState_ARRAYSIZE> messages{};
  for (const v1::StepStatus& step : *steps) {
    for (const v1::StateCount& count : step.states()) {
      if (v1::MessageState_IsValid(count.state())) messages[count.state()] += count.count();
    }
  }
  SetMessages(wave, messages);
  SetOldestDue(wave, oldest->has_value() ? std::max(absl::ZeroDuration(), clock_() - **oldest) : absl::ZeroDuration());
  int64_t drafts = 0;
  sources_.book.ForEachResponse(
      wave, [&](const std::string&, const ResponseStand& stand) { drafts += stand.state == intake::v1::RESPONSE_STATE_STARTED ? 1 : 0; });
  SetDrafts(wave, drafts);
  return absl::OkStatus();
}

}  // namespace peiling::fieldwork
