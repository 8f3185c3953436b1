#include "services/intake/wave_times.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/status/errors.h"

namespace peiling::intake {
namespace {

constexpr int kDefaultRetentionMonths = 3;

std::string InUtc(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", calendar::FromProto(time), absl::UTCTimeZone());
}

absl::Status Refuse(std::string_view reason, const std::string& message, const v1::Wave& wave) {
  std::map<std::string, std::string> metadata{{"wave", wave.name()}};
  if (wave.has_opens_at()) metadata["opens_at"] = InUtc(wave.opens_at());
  if (wave.has_closes_at()) metadata["closes_at"] = InUtc(wave.closes_at());
  return status::Error(absl::StatusCode::kFailedPrecondition, reason, message, metadata);
}

}  // namespace

v1::WaveState StateAt(const v1::Wave& wave, absl::Time now) {
  const std::optional<absl::Time> until = TakenUntil(wave);
  if (!until) return v1::WAVE_STATE_UNSCHEDULED;
  if (now >= *until) return v1::WAVE_STATE_CLOSED;
  if (now >= calendar::FromProto(wave.closes_at())) return v1::WAVE_STATE_GRACE;
  return now < calendar::FromProto(wave.opens_at()) ? v1::WAVE_STATE_PLANNED : v1::WAVE_STATE_OPEN;
}

std::optional<absl::Time> ErasedAt(const v1::Wave& wave) {
  if (!wave.has_closes_at() && wave.retention_months() == 0) return std::nullopt;
  const std::optional<absl::Time> end =
      wave.has_closes_at() ? std::optional(calendar::FromProto(wave.closes_at())) : calendar::EndOfDay(wave.closed());
  if (!end) return std::nullopt;
  const absl::Time due = calendar::AddMonths(*end, wave.retention_months() == 0 ? kDefaultRetentionMonths : wave.retention_months());
  return std::max(due, TakenUntil(wave).value_or(due));
}

void FillIn(v1::Wave& wave, absl::Time now) {
  if (wave.opened().empty() && wave.has_opens_at()) wave.set_opened(calendar::DayOf(calendar::FromProto(wave.opens_at())));
  if (wave.closed().empty() && wave.has_closes_at()) {
    // Closing at midnight ends the day before.
    wave.set_closed(calendar::DayOf(calendar::FromProto(wave.closes_at()) - absl::Minutes(1)));
  }
  wave.set_state(StateAt(wave, now));
  wave.clear_personal_data_erased_at();
  if (const auto erased_at = ErasedAt(wave)) *wave.mutable_personal_data_erased_at() = calendar::ToProto(*erased_at);
}

absl::Status CheckNotErased(const v1::Wave& wave, absl::Time now) {
  const std::optional<absl::Time> erased_at = ErasedAt(wave);
  if (!erased_at || now < *erased_at) return absl::OkStatus();
  return Refuse(
      "PERSONAL_DATA_ERASED",
      absl::StrCat("De persoonsgegevens van deze peiling zijn gewist op ", calendar::DayOf(*erased_at), "; er komt niets meer bij."), wave);
}

absl::Status CheckTakesAnswers(const v1::Wave& wave, absl::Time now, std::optional<absl::Time> begun_at) {
  switch (StateAt(wave, now)) {
    case v1::WAVE_STATE_PLANNED:
      return Refuse("WAVE_PLANNED",
                    absl::StrCat("De vragenlijst kan worden ingevuld vanaf ", calendar::InDutch(calendar::FromProto(wave.opens_at())), "."),
                    wave);
    case v1::WAVE_STATE_GRACE:
      if (begun_at && *begun_at < calendar::FromProto(wave.closes_at())) return absl::OkStatus();
      [[fallthrough]];
    case v1::WAVE_STATE_CLOSED:
      return Refuse("WAVE_CLOSED",
                    absl::StrCat("De vragenlijst is gesloten sinds ", calendar::InDutch(calendar::FromProto(wave.closes_at())),
                                 "; antwoorden kunnen niet meer worden aangenomen."),
                    wave);
    default:
      return CheckNotErased(wave, now);
  }
}

std::optional<absl::Time> TakenUntil(const v1::Wave& wave) {
  if (!wave.has_closes_at()) return std::nullopt;
  return calendar::FromProto(wave.closes_at()) + calendar::FromProto(wave.grace_period());
}

}  // namespace peiling::intake
