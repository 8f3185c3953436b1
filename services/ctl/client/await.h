// Reading your own writes: waiting until the tables count what was acknowledged.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "peiling/survey/v1/feed.pb.h"
#include "services/ctl/session.h"

namespace peiling::ctl {

// How long a command that writes waits for the tables, when --timeout does not say.
inline constexpr std::chrono::seconds kAwaitTimeout{60};

// Returns once analytics counts the wave up to `position`. DEADLINE_EXCEEDED/NOT_COUNTED_YET after `timeout`; what was written is durable
// all the same, and the message says so.
absl::Status AwaitCounted(Session& session, const std::string& wave, const survey::v1::FeedPosition& position,
                          std::chrono::milliseconds timeout);

}  // namespace peiling::ctl
