#include "services/ctl/client/await.h"

#include <algorithm>
#include <thread>

#include "services/common/status/errors.h"

namespace peiling::ctl {

absl::Status AwaitCounted(Session& session, const std::string& wave, const survey::v1::FeedPosition& position,
                          std::chrono::milliseconds timeout) {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  analytics::v1::GetProgressRequest request;
  request.set_parent(wave);
  *request.mutable_wait_for() = position;
  const auto end = steady_clock::now() + timeout;
  for (milliseconds pause{100};; pause = std::min(pause * 2, milliseconds(2000))) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    const absl::Status status = session.connection().Call(&Analytics::GetProgress, request, std::max(left, milliseconds(1))).status();
    if (status.ok()) return status;
    // A wave made a moment ago, or a service that starts again, is a matter of waiting too.
    const bool passing = absl::IsUnavailable(status) || absl::IsNotFound(status) || absl::IsResourceExhausted(status);
    if (absl::IsDeadlineExceeded(status) || (passing && left <= pause)) {
      return status::Error(absl::StatusCode::kDeadlineExceeded, "NOT_COUNTED_YET",
                           "everything is stored, but the tables do not count it yet");
    }
    if (!passing) return status;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace peiling::ctl
