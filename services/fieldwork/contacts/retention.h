// Erases personal data of the fieldwork once no wave needs them any more.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/repeater/repeater.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/contacts/contact_uses.h"

namespace peiling::fieldwork {

// A wave as retention sees it.
struct WaveSpan {
  std::string name;
  // While it is under way whom it may yet write to is kept: from opening until it takes nothing more. Both far ahead when it has no such
  // times.
  absl::Time opens = absl::InfiniteFuture();
  absl::Time ends = absl::InfiniteFuture();
  // When it closed. Without an end of its own (imported, or open at any time): when something last happened in it.
  absl::Time closed = absl::InfiniteFuture();
  // From when on it needs nobody's data any more.
  absl::Time erased = absl::InfiniteFuture();
};

// `last_use`: when anybody last got a link of it, showed it or was written to; the distant past: never. Without
// Wave.personal_data_erased_at its data are erased as many months after it closed as it says, by default 3.
WaveSpan SpanOf(const intake::v1::Wave& wave, absl::Time last_use);

// Whether a contact is to be erased: no wave is under way, all waves it was used in (`used_in`, by name) need it no more, and nobody added,
// changed, took in anew or confirmed it since the closing of some wave whose retention is over. A wave that is not among `waves` counts as
// none.
bool IsPastRetention(const v1::Contact& contact, const std::set<std::string>& used_in, const std::vector<WaveSpan>& waves, absl::Time now);

// Thread-safe. Replicas may all do this.
class Retention {
 public:
  // Erases names and addresses of everybody who has or had a link of a wave though no contact, for ever; may be called again.
  using EraseHolders = std::function<absl::Status(const std::string& wave)>;

  // All must outlive it.
  Retention(ContactStore& contacts, const ContactUses& uses, intake::v1::IntakeService::StubInterface& intake, EraseHolders erase_holders,
            calendar::Clock clock)
      : contacts_(contacts), uses_(uses), intake_(intake), erase_holders_(std::move(erase_holders)), clock_(std::move(clock)) {}

  // Erases what is to be erased now; how many contacts were, with general addresses whose persons were. After an error, which is the first
  // there was, the rest is erased all the same.
  absl::StatusOr<int> Sweep();

  // Sweeps now and every hour from then on, in a thread of its own. What fails is logged, and done by the next sweep.
  void Start() { repeater_.Start(); }
  // Ends that after a sweep under way. May be called twice, or without Start.
  void Stop() { repeater_.Stop(); }

 private:
  absl::StatusOr<std::vector<WaveSpan>> Waves(const ContactUses::Uses& uses);
  absl::StatusOr<int> EraseContacts(const std::vector<WaveSpan>& waves, const ContactUses::Uses& uses);
  void SweepLogged();

  ContactStore& contacts_;
  const ContactUses& uses_;
  intake::v1::IntakeService::StubInterface& intake_;
  const EraseHolders erase_holders_;
  const calendar::Clock clock_;
  Repeater repeater_{std::chrono::hours(1), [this] { SweepLogged(); }};
};

}  // namespace peiling::fieldwork
