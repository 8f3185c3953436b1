#include "services/intake/drafts/keyed_locks.h"

#include <algorithm>

#include "services/common/status/errors.h"

namespace peiling::intake {
namespace {

absl::Status Busy(absl::StatusCode code) {
  return status::Error(code, "DRAFT_BUSY",
                       "Er wordt door te veel mensen tegelijk in deze vragenlijst opgeslagen; probeer het zo nog eens.");
}

}  // namespace

absl::StatusOr<KeyedLocks::Guard> KeyedLocks::Acquire(const std::string& key, Deadline deadline) {
  const Deadline until = std::min(deadline, std::chrono::steady_clock::now() + kLongestWait);
  std::unique_lock lock(mutex_);
  const auto entry = entries_.try_emplace(key).first;
  Entry& turn = entry->second;
  if (turn.held) {
    if (turn.waiting == kMostWaiting) return Busy(absl::StatusCode::kResourceExhausted);
    ++turn.waiting;
    const bool came = turn.freed.wait_until(lock, until, [&turn] { return !turn.held; });
    --turn.waiting;
    if (!came) return Busy(absl::StatusCode::kDeadlineExceeded);
  }
  turn.held = true;
  return Guard(this, entry);
}

void KeyedLocks::Release(Entries::iterator entry) {
  const std::lock_guard lock(mutex_);
  if (entry->second.waiting == 0) {
    entries_.erase(entry);
    return;
  }
  entry->second.held = false;
  entry->second.freed.notify_one();
}

}  // namespace peiling::intake
