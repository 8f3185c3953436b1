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

// When it takes no more answers; never, for a wave without an end.
absl::Time ClosingOf(const Wave& wave) {
  if (wave.has_closes_at()) return calendar::FromProto(wave.closes_at());
  return calendar::EndOfDay(wave.closed()).value_or(absl::InfiniteFuture());
}

bool IsPast(const Wave& wave, absl::Time now) {
  return wave.has_personal_data_erased_at() && calendar::FromProto(wave.personal_data_erased_at()) <= now;
}

bool IsUnderWay(const Wave& wave, absl::Time now) {
  return wave.has_opens_at() && calendar::FromProto(wave.opens_at()) <= now && now < ClosingOf(wave);
}

// When somebody last said that it is right.
absl::Time KnownAt(const v1::Contact& contact) {
  const absl::Time created = calendar::FromProto(contact.created_at());
  return std::max(created, calendar::EndOfDay(contact.last_confirmed()).value_or(created));
}

// Of the waves a contact was used in, when the last one closed; the distant past when there are none, and never when one is not past its
// retention.
absl::Time LastUse(const std::set<std::string>& used_in, const std::vector<Wave>& waves, absl::Time now) {
  absl::Time last = absl::InfinitePast();
  for (const std::string& name : used_in) {
    const auto wave = std::find_if(waves.begin(), waves.end(), [&](const Wave& candidate) { return candidate.name() == name; });
    if (wave == waves.end() || !IsPast(*wave, now)) return absl::InfiniteFuture();
    last = std::max(last, ClosingOf(*wave));
  }
  return last;
}

// When the last wave that closed did so, if its retention is over and none is under way; else the distant past.
absl::Time LastClosing(const std::vector<Wave>& waves, absl::Time now) {
  const Wave* last = nullptr;
  for (const Wave& wave : waves) {
    if (IsUnderWay(wave, now)) return absl::InfinitePast();
    const absl::Time closing = ClosingOf(wave);
    if (closing <= now && (last == nullptr || closing > ClosingOf(*last))) last = &wave;
  }
  return last != nullptr && IsPast(*last, now) ? ClosingOf(*last) : absl::InfinitePast();
}

}  // namespace

bool IsPastRetention(const v1::Contact& contact, const std::set<std::string>& used_in, const std::vector<Wave>& waves, absl::Time now) {
  if (contact.has_erased_at() || contact.kind() == v1::CONTACT_KIND_GENERAL) return false;
  const absl::Time last_use = LastUse(used_in, waves, now);
  if (last_use == absl::InfiniteFuture()) return false;
  return KnownAt(contact) < std::max(last_use, LastClosing(waves, now));
}

absl::StatusOr<std::vector<Wave>> Retention::Waves() {
  intake::v1::ListWavesRequest request;
  request.set_parent("surveys/-");
  request.set_page_size(kPageSize);
  std::vector<Wave> waves;
  do {
    grpc::ClientContext context;
    deadline::Set(context, kPatience);
    intake::v1::ListWavesResponse page;
    if (grpc::Status listed = intake_.ListWaves(&context, request, &page); !listed.ok()) return status::FromGrpc(listed);
    waves.insert(waves.end(), page.waves().begin(), page.waves().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return waves;
}

absl::StatusOr<std::vector<std::string>> Retention::Due(const std::vector<Wave>& waves) {
  const auto uses = uses_.Waves();
  if (!uses.ok()) return uses.status();
  const absl::Time now = clock_();
  std::vector<std::string> due;
  const absl::Status walked = contacts_.ForEach([&](const MunicipalityContacts& municipality) {
    for (const v1::Contact& contact : municipality.contacts()) {
      const auto used = uses->find(contact.name());
      const std::set<std::string> used_in = used == uses->end() ? std::set<std::string>() : used->second;
      if (IsPastRetention(contact, used_in, waves, now)) due.push_back(contact.name());
    }
    return absl::OkStatus();
  });
  if (!walked.ok()) return walked;
  return due;
}

absl::StatusOr<int> Retention::Sweep() {
  const auto waves = Waves();
  if (!waves.ok()) return waves.status();
  absl::Status status;
  for (const Wave& wave : *waves) {
    if (IsPast(wave, clock_())) status.Update(erase_holders_(wave.name()));
  }
  const auto due = Due(*waves);
  if (!due.ok()) return due.status();
  int erased = 0;
  for (const std::string& name : *due) {
    v1::EraseContactRequest request;
    request.set_name(name);
    const auto done = contacts_.Erase(request, "", {});
    status.Update(done.status());
    if (!done.ok()) continue;
    ++erased;
    log::Info("erased a contact whose time was over", {{"contact", name}});
  }
  if (!status.ok()) return status;
  return erased;
}

void Retention::SweepLogged() {
  const auto swept = Sweep();
  if (swept.ok()) return;
  log::Warning("personal data whose time is over could not all be erased", {{"why", std::string(swept.status().message())}});
}

}  // namespace peiling::fieldwork
