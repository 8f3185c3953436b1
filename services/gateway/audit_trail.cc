#include "services/gateway/audit_trail.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "openssl/rand.h"
#include "prometheus/counter.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using access::v1::AuditEntry;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What access takes at once.
constexpr size_t kMostInBatch = 1000;
constexpr size_t kMostRefusals = 1000;
constexpr seconds kRefusalWindow(1);
constexpr seconds kSendDeadline(5);
constexpr milliseconds kPauseAfterFailure(200);

prometheus::Counter& Entries(const char* outcome) {
  return prometheus::BuildCounter()
      .Name("peiling_gateway_audit_entries_total")
      .Help("Entries for the audit log, by what became of them.")
      .Register(server::Metrics())
      .Add({{"outcome", outcome}});
}

std::string RandomHex() {
  std::array<unsigned char, 8> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) log::Error("no random numbers for the names of audit entries");
  std::string hex;
  for (const unsigned char byte : bytes) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
  return hex;
}

// One of a flood of refusals, with nothing that only some of them have in common.
AuditEntry OfMany(const AuditEntry& entry) {
  AuditEntry many;
  *many.mutable_time() = entry.time();
  many.set_action(entry.action());
  many.set_result(entry.result());
  many.set_reason(entry.reason());
  return many;
}

// What the audit log does not get, the log of the process does.
void Lose(const AuditEntry& entry) {
  static prometheus::Counter& lost = Entries("lost");
  lost.Increment();
  log::Error("audit entry not recorded", {{"name", entry.name()},
                                          {"subject", entry.subject()},
                                          {"action", entry.action()},
                                          {"object", entry.object()},
                                          {"result", entry.result()},
                                          {"reason", entry.reason()},
                                          {"request_id", entry.request_id()},
                                          {"count", absl::StrCat(entry.count())}});
}

// Refusals that have these in common become one.
auto KeyOf(const AuditEntry& refusal) { return std::tuple(refusal.subject(), refusal.action(), refusal.reason()); }

}  // namespace

AuditTrail::AuditTrail(std::unique_ptr<access::v1::AccessService::StubInterface> access, const AuditOptions& options)
    : access_(std::move(access)), options_(options), places_(options.places), origin_(RandomHex()), thread_([this] { Run(); }) {}

AuditTrail::~AuditTrail() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

absl::StatusOr<AuditTrail::Place> AuditTrail::Reserve() {
  auto place = std::make_unique<server::Places::Place>(places_);
  const std::lock_guard lock(mutex_);
  const bool stuck = !waiting_.empty() && Clock::now() - waiting_.front().since > options_.patience;
  if (place->granted() && !stuck) return place;
  return status::RetryAfter(status::Error(absl::StatusCode::kUnavailable, "AUDIT_UNAVAILABLE",
                                          "the audit log cannot be written, so nothing is done that belongs there; try again later"),
                            seconds(1));
}

void AuditTrail::Record(AuditEntry entry, Place place, Wait wait, Done done) {
  {
    const std::lock_guard lock(mutex_);
    entry.set_name(NewName());
    entry.set_count(1);
    waiting_.push_back({std::move(entry), Clock::now(), std::move(place), wait, std::move(done)});
  }
  wake_.notify_one();
}

void AuditTrail::RecordRefusal(AuditEntry entry) {
  {
    const std::lock_guard lock(mutex_);
    if (refusals_.size() >= kMostRefusals && !refusals_.contains(KeyOf(entry))) entry = OfMany(entry);
    const auto [known, is_new] = refusals_.try_emplace(KeyOf(entry));
    if (!is_new) {
      known->second.set_count(known->second.count() + 1);
      *known->second.mutable_time() = entry.time();
      return;
    }
    if (refusals_.size() == 1) refusals_since_ = Clock::now();
    entry.set_name(NewName());
    entry.set_count(1);
    known->second = std::move(entry);
  }
  wake_.notify_one();
}

void AuditTrail::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

void AuditTrail::Run() {
  bool failing = false;
  size_t most = kMostInBatch;
  std::unique_lock lock(mutex_);
  while (Await(lock)) {
    const access::v1::RecordAuditEntriesRequest batch = First(most);
    const auto size = static_cast<size_t>(batch.entries_size());
    const bool stopping = stopping_;
    lock.unlock();
    const absl::Status sent = Send(batch);
    // What access does not take now it never will. Of many, one may be at fault: fewer and fewer go together, until it is alone.
    const bool invalid = absl::IsInvalidArgument(sent);
    const bool failed = !sent.ok() && !invalid;
    if (failing != failed) {
      log::Warning(failing ? "audit log is written again" : "audit log cannot be written", {{"status", sent.ToString()}});
    }
    failing = failed;
    most = invalid && size > 1 ? size / 2 : kMostInBatch;
    lock.lock();
    const bool overdue = closed_ && Clock::now() - waiting_.front().since > options_.patience;
    const bool give_up = (invalid && size == 1) || (failed && overdue);
    std::vector<Waiting> ended = Take(sent.ok() || give_up ? size : 0);
    const std::vector<Done> tried = failed ? TakeTried() : std::vector<Done>();
    lock.unlock();
    End(std::move(ended), sent.ok());
    for (const Done& done : tried) done();
    lock.lock();
    // The beginning of the end cuts it short.
    if (failing) wake_.wait_for(lock, kPauseAfterFailure, [&] { return stopping_ != stopping; });
  }
}

bool AuditTrail::Await(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (refusals_waiting_ == 0 && !refusals_.empty() && (stopping_ || now - refusals_since_ >= kRefusalWindow)) QueueRefusals(now);
    if (!waiting_.empty()) return true;
    if (stopping_) return false;
    if (refusals_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, refusals_since_ + kRefusalWindow);
    }
  }
}

access::v1::RecordAuditEntriesRequest AuditTrail::First(size_t most) const {
  access::v1::RecordAuditEntriesRequest batch;
  for (size_t i = 0; i < std::min(waiting_.size(), most); ++i) *batch.add_entries() = waiting_[i].entry;
  return batch;
}

void AuditTrail::QueueRefusals(Clock::time_point now) {
  refusals_waiting_ = refusals_.size();
  for (auto& [key, entry] : refusals_) waiting_.push_back({std::move(entry), now, nullptr, Wait::kUntilRecorded, nullptr});
  refusals_.clear();
}

absl::Status AuditTrail::Send(const access::v1::RecordAuditEntriesRequest& batch) {
  grpc::ClientContext context;
  deadline::Set(context, kSendDeadline);
  access::v1::RecordAuditEntriesResponse response;
  return status::FromGrpc(access_->RecordAuditEntries(&context, batch, &response));
}

std::vector<AuditTrail::Waiting> AuditTrail::Take(size_t count) {
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Waiting> taken(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  refusals_waiting_ -=
      static_cast<size_t>(std::count_if(taken.begin(), taken.end(), [](const Waiting& waiting) { return waiting.place == nullptr; }));
  return taken;
}

std::vector<AuditTrail::Done> AuditTrail::TakeTried() {
  std::vector<Done> tried;
  for (Waiting& waiting : waiting_) {
    if (waiting.wait == Wait::kUntilTried && waiting.done) tried.push_back(std::exchange(waiting.done, nullptr));
  }
  return tried;
}

void AuditTrail::End(std::vector<Waiting> ended, bool recorded) {
  static prometheus::Counter& good = Entries("recorded");
  for (Waiting& waiting : ended) {
    if (recorded) {
      good.Increment();
    } else {
      Lose(waiting.entry);
    }
    // Its place is free before the caller hears of it.
    waiting.place.reset();
    if (waiting.done) waiting.done();
  }
}

std::string AuditTrail::NewName() { return absl::StrCat("audit-entries/", origin_, "-", ++last_name_); }

}  // namespace peiling::gateway
