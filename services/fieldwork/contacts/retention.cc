#include "services/fieldwork/contacts/retention.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

using intake::v1::Wave;

constexpr std::chrono::seconds kPatience{10};
constexpr int kPageSize = 1000;

constexpr int kRetentionMonths = 3;

bool IsUnderWay(const WaveSpan& wave, absl::Time now) { return wave.opens <= now && now < wave.ends; }

// When somebody last said that it is right.
absl::Time KnownAt(const v1::Contact& contact) {
  const absl::Time changed = std::max(calendar::FromProto(contact.created_at()), calendar::FromProto(contact.updated_at()));
  return std::max(changed, calendar::EndOfDay(contact.last_confirmed()).value_or(changed));
}

}  // namespace

WaveSpan SpanOf(const Wave& wave, absl::Time last_use) {
  WaveSpan span{.name = wave.name()};
  if (wave.has_opens_at() && wave.has_closes_at()) {
    span.opens = calendar::FromProto(wave.opens_at());
    span.ends = calendar::FromProto(wave.closes_at()) + calendar::FromProto(wave.grace_period());
  }
  if (wave.has_closes_at()) {
    span.closed = calendar::FromProto(wave.closes_at());
  } else if (const absl::Time closed = std::max(calendar::EndOfDay(wave.closed()).value_or(last_use), last_use);
             closed != absl::InfinitePast()) {
    span.closed = closed;
  }
  if (wave.has_personal_data_erased_at()) {
    span.erased = std::max(span.closed, calendar::FromProto(wave.personal_data_erased_at()));
  } else if (span.closed != absl::InfiniteFuture()) {
    span.erased = calendar::AddMonths(span.closed, wave.retention_months() == 0 ? kRetentionMonths : wave.retention_months());
  }
  return span;
}

bool IsPastRetention(const v1::Contact& contact, const std::set<std::string>& used_in, const std::vector<WaveSpan>& waves, absl::Time now) {
  if (contact.has_erased_at()) return false;
  const absl::Time known = KnownAt(contact);
  bool past = false;
  for (const WaveSpan& wave : waves) {
    const bool over = wave.erased <= now;
    if (IsUnderWay(wave, now) || (!over && used_in.contains(wave.name))) return false;
    past = past || (over && known < wave.closed);
  }
  return past;
}

absl::StatusOr<std::vector<WaveSpan>> Retention::Waves(const ContactUses::Uses& uses) {
  intake::v1::ListWavesRequest request;
  request.set_parent("surveys/-");
  request.set_page_size(kPageSize);
  std::map<std::string, absl::Time> last_uses = uses.last_use;
  std::vector<WaveSpan> waves;
  do {
    grpc::ClientContext context;
    deadline::Set(context, kPatience);
    intake::v1::ListWavesResponse page;
    if (grpc::Status listed = intake_.ListWaves(&context, request, &page); !listed.ok()) return status::FromGrpc(listed);
    for (const Wave& wave : page.waves()) {
      const auto last_use = last_uses.extract(wave.name());
      waves.push_back(SpanOf(wave, last_use.empty() ? absl::InfinitePast() : last_use.mapped()));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  // Those intake does not have any more.
  for (const auto& [name, last_use] : last_uses) {
    Wave gone;
    gone.set_name(name);
    waves.push_back(SpanOf(gone, last_use));
  }
  return waves;
}

absl::StatusOr<int> Retention::EraseContacts(const std::vector<WaveSpan>& waves, const ContactUses::Uses& uses) {
  const absl::Time now = clock_();
  const auto is_past = [&](const v1::Contact& contact) {
    const auto used = uses.waves.find(contact.name());
    return IsPastRetention(contact, used == uses.waves.end() ? std::set<std::string>() : used->second, waves, now);
  };
  int erased = 0;
  absl::Status status;
  const absl::Status walked = contacts_.ForEach("", [&](const MunicipalityContacts& municipality) {
    if (std::none_of(municipality.contacts().begin(), municipality.contacts().end(), is_past)) return absl::OkStatus();
    const auto done = contacts_.EraseWhere(municipality.code(), is_past);
    status.Update(done.status());
    if (!done.ok()) return absl::OkStatus();
    for (const std::string& name : *done) log::Info("erased a contact whose time was over", {{"contact", name}});
    erased += static_cast<int>(done->size());
    return absl::OkStatus();
  });
  status.Update(walked);
  if (!status.ok()) return status;
  return erased;
}

absl::StatusOr<int> Retention::Sweep() {
  const auto uses = uses_.All();
  if (!uses.ok()) return uses.status();
  const auto waves = Waves(*uses);
  if (!waves.ok()) return waves.status();
  absl::Status status;
  for (const WaveSpan& wave : *waves) {
    if (wave.erased <= clock_()) status.Update(erase_holders_(wave.name));
  }
  const auto erased = EraseContacts(*waves, *uses);
  status.Update(erased.status());
  if (!status.ok()) return status;
  return erased;
}

void Retention::SweepLogged() {
  const auto swept = Sweep();
  if (swept.ok()) return;
  log::Warning("personal data whose time is over could not all be erased", {{"why", std::string(swept.status().message())}});
}

}  // namespace peiling::fieldwork
