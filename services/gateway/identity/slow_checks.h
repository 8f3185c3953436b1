// Slow hashes, a few at a time and in fair turns.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "peiling/access/v1/access.pb.h"
#include "services/gateway/identity/digest.h"
#include "services/gateway/identity/lanes.h"

namespace peiling::gateway {

// Checks wait in lanes, which take turns. Many checks of one secret in one lane become one hash. Thread-safe.
class SlowChecks {
 public:
  enum class Result { kMatches, kDiffers, kTooMany, kStopped };
  using Done = std::function<void(Result)>;
  // Whether a secret is the one of a hash; slow. Called on threads of this class.
  using Matches = std::function<bool(std::string_view secret, const access::v1::SecretHash& hash)>;

  struct Limits {
    int threads = 1;
    LaneLimits lanes;
  };

  SlowChecks(const Limits& limits, Matches matches);
  ~SlowChecks();  // Stops.
  SlowChecks(const SlowChecks&) = delete;
  SlowChecks& operator=(const SlowChecks&) = delete;

  // Calls `done` once: at once with kTooMany or kStopped, else later on a thread of this class. `digest` is that of the secret; the same
  // secret in the same lane must come with the same hash.
  void Check(const std::string& lane, const Digest& digest, std::string_view secret, const access::v1::SecretHash& hash, Done done);

  // Ends the hash under way, and what waits with kStopped. May be called twice, not by `done`.
  void Stop();

 private:
  struct Job {
    std::string secret;
    access::v1::SecretHash hash;
  };

  void Run();

  const Matches matches_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  Lanes<Job, Done> lanes_;
  std::vector<std::thread> threads_;
};

}  // namespace peiling::gateway
