// Writes what was done to the audit log, in batches, before whoever did it hears of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "services/common/server/places.h"

namespace peiling::gateway {

struct AuditOptions {
  // Audited calls under way or not yet in the log; one more is refused. Fewer than calls in all, so that a log that is slow leaves room for
  // what is not audited.
  int places = 512;
  // How long an entry may wait for the log before audited calls are refused, and after Close before it is given up.
  std::chrono::milliseconds patience{5000};
};

// Thread-safe. Nothing here blocks but Close and the destructor. Counts peiling_gateway_audit_entries_total{outcome}: recorded, lost.
class AuditTrail {
 public:
  using Place = std::unique_ptr<server::Places::Place>;
  using Done = std::function<void()>;
  // What `done` of an entry waits for.
  enum class Wait {
    // The log has it.
    kUntilRecorded,
    // That, or that a write has failed since: the entry is still to be written, and lost only if the process dies before it is.
    kUntilTried,
  };

  AuditTrail(std::unique_ptr<access::v1::AccessService::StubInterface> access, const AuditOptions& options);
  // Writes what is left, for at most `patience`.
  ~AuditTrail();

  // To be called before an audited call begins, so that its entry has a place. UNAVAILABLE/AUDIT_UNAVAILABLE with RetryInfo when all are
  // taken or the log has not been written for too long.
  absl::StatusOr<Place> Reserve();
  // Writes an entry, whose name is set here; `done` is called once, on another thread. Failing writes are repeated for ever, or until after
  // Close; then the entry goes to the log of the process instead, and `done` is called so that the call can end. So does an entry that
  // access finds invalid, alone.
  void Record(access::v1::AuditEntry entry, Place place, Wait wait, Done done);
  // Writes that something was refused. Those of one subject, action and reason within a second, or for as long as the log cannot be
  // written, become one entry. When a thousand such wait, those of further subjects are counted in one entry for each action and reason,
  // that names nobody: so a flood of them fills neither memory nor log.
  void RecordRefusal(access::v1::AuditEntry entry);
  // From now on entries wait no longer than `patience`, so that a server can drain.
  void Close();

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    access::v1::AuditEntry entry;
    Clock::time_point since;
    // Of a refusal: none.
    Place place;
    Wait wait;
    // Null for a refusal, and when it was called.
    Done done;
  };
  using RefusalKey = std::tuple<std::string, std::string, std::string>;

  void Run();
  void QueueRefusals(Clock::time_point now);
  // Waits until there is something to do; false at the end.
  bool Await(std::unique_lock<std::mutex>& lock);
  // The first of what waits, at most so many.
  access::v1::RecordAuditEntriesRequest First(size_t most) const;
  absl::Status Send(const access::v1::RecordAuditEntriesRequest& batch);
  // Takes the first entries out of the queue.
  std::vector<Waiting> Take(size_t count);
  // What need not wait any longer since a write has failed. The entries stay.
  std::vector<Done> TakeTried();
  static void End(std::vector<Waiting> ended, bool recorded);
  std::string NewName();

  const std::unique_ptr<access::v1::AccessService::StubInterface> access_;
  const AuditOptions options_;
  server::Places places_;
  // Unique among gateways and their lives.
  const std::string origin_;

  std::mutex mutex_;
  std::condition_variable wake_;
  uint64_t last_name_ = 0;
  std::deque<Waiting> waiting_;
  // Of the waiting ones, so many are refusals.
  size_t refusals_waiting_ = 0;
  std::map<RefusalKey, access::v1::AuditEntry> refusals_;
  Clock::time_point refusals_since_;
  bool closed_ = false;
  bool stopping_ = false;
  // After all of the above, which it uses.
  std::thread thread_;
};

}  // namespace peiling::gateway
