// The outbox: every message of a wave, from the moment it is due until what became of it is known. How a message lives stands in
// protos/peiling/fieldwork/v1/mail.proto; how it is stored in message_table.h.
//
// Nothing is sent twice: a message that was begun is nobody's until it is known whether it was sent, or a while has passed (settle_time).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/storage/v1/outbox.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/mail/mail_policy.h"

namespace peiling::fieldwork {

struct OutboxOptions {
  // How long after its lease a message that was begun waits for an event, while events can be heard. Then it was not sent.
  absl::Duration settle_time = absl::Minutes(15);
  // Whether it is kept that mail was opened.
  bool keep_opens = false;
};

// Thread-safe; one in a process, and processes may share the store. Requests were checked, and waves exist. Errors of the store come beside
// those named, and ABORTED/CONCURRENT_CHANGE after too many lost races.
class Outbox {
 public:
  // Bytes of mail in one answer, but for one that is larger by itself.
  static constexpr size_t kMaxLeaseBytes = 3 << 20;

  // All must outlive it.
  Outbox(storage::Store& store, MailPolicy& policy, const vault::Vault& vault, calendar::Clock clock, OutboxOptions options = {});
  ~Outbox();

  // --- For who plans ---

  // Makes the messages there are not yet, whatever became of those there are; how many that were. Wants name, invitation, step, kind,
  // contact (unless it is a colleague's) and due_at; sets the rest. Committed by the thousand.
  absl::StatusOr<size_t> Add(const std::string& wave, const std::vector<v1::Message>& messages);
  // All messages of a wave, by name, without their events. `visit` may call the outbox.
  absl::Status ForEach(const std::string& wave, const std::function<void(const v1::Message&)>& visit);
  // With its events. NOT_FOUND/MESSAGE_NOT_FOUND.
  absl::StatusOr<v1::Message> Get(const std::string& name);
  // Messages that will not be sent any more; those that may have been already, and those there are not, are left as they are.
  absl::Status Cancel(const std::string& wave, const std::vector<std::string>& names, v1::CancelReason reason);
  // Grows with every change of a message of the wave, by whatever replica.
  absl::StatusOr<uint64_t> Version(const std::string& wave);

  // --- For mailing systems ---

  // `caller`: subject of who asks; two of them may use one request_id.
  absl::StatusOr<v1::LeaseMailResponse> Lease(const v1::LeaseMailRequest& request, const std::string& caller);
  // UNAVAILABLE when it cannot be told who has submitted: nothing is begun then.
  absl::StatusOr<v1::BeginMailResponse> Begin(const v1::BeginMailRequest& request);
  // A refusal for good suppresses the address when the codes say that it is the address.
  absl::StatusOr<v1::CompleteMailResponse> Complete(const v1::CompleteMailRequest& request);
  absl::StatusOr<v1::ReportDeliveryEventsResponse> Report(const v1::ReportDeliveryEventsRequest& request);

  // --- For who looks ---

  // A page may be short and yet have a token: what is looked at for it is bounded.
  absl::StatusOr<v1::ListMessagesResponse> List(const v1::ListMessagesRequest& request, const paging::Page& page);
  // Messages by step and state, steps by name, without due_at.
  absl::StatusOr<std::vector<v1::StepStatus>> Counts(const std::string& wave);
  // Since when somebody could have leased the message nobody has for the longest time; nullopt: there is none. One that is tried again
  // later does not wait meanwhile.
  absl::StatusOr<std::optional<absl::Time>> OldestDue(const std::string& wave);

  // --- As time passes ---

  // Ends leases whose time is over, settles what nobody reported, and suppresses addresses that a crash kept from being suppressed. Leasing
  // does the first two by itself.
  absl::Status Sweep(const std::string& wave);
  // The same of all waves there is mail of; the first error, after all were tried.
  absl::Status SweepAll();

 private:
  // What is known of a wave in memory.
  struct Wave;

  Wave& Of(const std::string& wave);
  // One try of each.
  absl::StatusOr<size_t> TryAdd(Wave& wave, const std::vector<const v1::Message*>& messages);
  absl::StatusOr<v1::LeaseMailResponse> TryLease(Wave& wave, const v1::LeaseMailRequest& request, const std::string& key, int lost);
  absl::StatusOr<v1::BeginMailResponse> TryBegin(Wave& wave, const v1::BeginMailRequest& request);
  absl::StatusOr<v1::CompleteMailResponse> TryComplete(Wave& wave, const v1::CompleteMailRequest& request);
  absl::StatusOr<v1::ReportDeliveryEventsResponse> TryReport(Wave& wave, const v1::ReportDeliveryEventsRequest& request);

  // Leases those of `ids` that may go, as many as fit in an answer; `looked_at` becomes the number from the first on that are not due any
  // more.
  absl::StatusOr<v1::LeaseMailResponse> Take(Wave& wave, const std::vector<std::string>& ids, const storage::v1::MailLease& terms,
                                             const std::string& key, size_t& looked_at);
  // What is still leased of a lease.
  absl::StatusOr<v1::LeaseMailResponse> TakeAgain(Wave& wave, const storage::v1::MailLease& lease);
  // As a mailing system is given it. Errors of the vault.
  absl::StatusOr<v1::LeasedMessage> Leased(const v1::Message& message, v1::MailContent content) const;
  // Of messages that were leased, begins those that may go to the address and with the link they were leased with.
  absl::Status BeginAll(const std::string& wave, const std::vector<storage::v1::StoredMessage*>& messages);
  // What is wrong with an event about this message, which looks right by itself; "": nothing.
  std::string ProblemWith(const v1::DeliveryEvent& event, const storage::v1::StoredMessage& stored) const;
  // Whether there are messages of a step (empty: any) in a state (UNSPECIFIED: any), by the numbers kept: none are looked at.
  absl::StatusOr<bool> AreThere(const std::string& wave, const std::string& step, v1::MessageState state);
  absl::Status EndLeases(Wave& wave, absl::Time now);
  absl::Status EndLease(Wave& wave, const std::string& end_key, const std::string& request);
  absl::Status Settle(Wave& wave, absl::Time now);
  // From when on what nobody reported by then is settled.
  absl::Time SettlesFrom();
  // Suppresses, and forgets that it was to be done. What does not succeed is left to Sweep.
  absl::Status Suppress(Wave& wave, const std::vector<storage::v1::PendingSuppression>& pending);

  storage::Store& store_;
  MailPolicy& policy_;
  const vault::Vault& vault_;
  const calendar::Clock clock_;
  const OutboxOptions options_;
  std::mutex mutex_;
  // None is ever removed.
  std::map<std::string, std::unique_ptr<Wave>> waves_;
  // Since when reports reach the messages: since the start, or since the store last did not answer.
  absl::Time hearing_since_;
};

}  // namespace peiling::fieldwork
