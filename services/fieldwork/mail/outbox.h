// The outbox: every message of a wave, from the moment it is due until what became of it is known. How a message lives stands in
// protos/peiling/fieldwork/v1/mail.proto; how it is stored in stored_message.h.
//
// Nothing is sent twice: a message that was begun is nobody's until it is known whether it was sent, or a while has passed (settle_time).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/mail/mail_policy.h"

namespace peiling::fieldwork {

struct OutboxOptions {
  // How long after its lease a message that was begun waits for an event. Then it was not sent.
  absl::Duration settle_time = absl::Minutes(15);
  // Whether it is kept that mail was opened.
  bool keep_opens = false;
};

// Thread-safe; one in a process, and processes may share the store. Requests were checked, and waves exist. Errors of the store come beside
// those named, and ABORTED/CONCURRENT_CHANGE after too many lost races.
class Outbox {
 public:
  // A message that could not be handed over is due again at most so many times, ever later (RetryDelay).
  static constexpr int kMaxRetries = 5;
  // Events kept of a message.
  static constexpr int kMaxEvents = 50;
  // Bytes of mail in one answer, but for one that is larger by itself.
  static constexpr size_t kMaxLeaseBytes = 3 << 20;

  // All must outlive it.
  Outbox(storage::Store& store, MailPolicy& policy, calendar::Clock clock, OutboxOptions options = {});
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
  // A refusal for good suppresses the address when the codes say that it is the address, or there are no codes.
  absl::StatusOr<v1::CompleteMailResponse> Complete(const v1::CompleteMailRequest& request);
  absl::StatusOr<v1::ReportDeliveryEventsResponse> Report(const v1::ReportDeliveryEventsRequest& request);

  // --- For who looks ---

  // A page may be short and yet have a token: what is looked at for it is bounded.
  absl::StatusOr<v1::ListMessagesResponse> List(const v1::ListMessagesRequest& request, const paging::Page& page);
  // Messages by step and state, steps by name, without due_at.
  absl::StatusOr<std::vector<v1::StepStatus>> Counts(const std::string& wave);

  // --- As time passes ---

  // Ends leases whose time is over, settles what nobody reported, and suppresses addresses that a crash kept from being suppressed. Leasing
  // does the first two by itself.
  absl::Status Sweep(const std::string& wave);
  // The same of all waves there is mail of; the first error, after all were tried.
  absl::Status SweepAll();

  // How long a message waits before it is tried again after so many failures, from 1.
  static absl::Duration RetryDelay(int failures);

 private:
  class Pass;
  struct Wave;

  Wave& WaveOf(const std::string& name);

  storage::Store& store_;
  MailPolicy& policy_;
  const calendar::Clock clock_;
  const OutboxOptions options_;
  std::mutex mutex_;
  // What is known of waves in memory; none is ever removed.
  std::map<std::string, std::unique_ptr<Wave>> waves_;
};

}  // namespace peiling::fieldwork
