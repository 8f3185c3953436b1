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

// Whether a contact is to be erased. General addresses never are. Nobody is while a wave they were used in (`used_in`, by name) has not
// reached its Wave.personal_data_erased_at, or is not among `waves`. Else they are when nobody confirmed or added them since the last of
// those waves closed. So is who nobody confirmed or added since the wave that closed last did, whether used or not, once that has reached
// it and none is under way, which might yet escalate to them.
bool IsPastRetention(const v1::Contact& contact, const std::set<std::string>& used_in, const std::vector<intake::v1::Wave>& waves,
                     absl::Time now);

// Thread-safe. Replicas may all do this.
class Retention {
 public:
  // Erases names and addresses of colleagues and of who took over an invitation of a wave, for ever; may be called again.
  using EraseHolders = std::function<absl::Status(const std::string& wave)>;

  // All must outlive it.
  Retention(ContactStore& contacts, const ContactUses& uses, intake::v1::IntakeService::StubInterface& intake, EraseHolders erase_holders,
            calendar::Clock clock)
      : contacts_(contacts), uses_(uses), intake_(intake), erase_holders_(std::move(erase_holders)), clock_(std::move(clock)) {}

  // Erases what is to be erased now; how many contacts were. After an error, which is the first there was, the rest is erased all the same.
  absl::StatusOr<int> Sweep();

  // Sweeps now and every hour from then on, in a thread of its own. What fails is logged, and done by the next sweep.
  void Start() { repeater_.Start(); }
  // Ends that after a sweep under way. May be called twice, or without Start.
  void Stop() { repeater_.Stop(); }

 private:
  absl::StatusOr<std::vector<intake::v1::Wave>> Waves();
  absl::StatusOr<std::vector<std::string>> Due(const std::vector<intake::v1::Wave>& waves);
  void SweepLogged();

  ContactStore& contacts_;
  const ContactUses& uses_;
  intake::v1::IntakeService::StubInterface& intake_;
  const EraseHolders erase_holders_;
  const calendar::Clock clock_;
  Repeater repeater_{std::chrono::hours(1), [this] { SweepLogged(); }};
};

}  // namespace peiling::fieldwork
