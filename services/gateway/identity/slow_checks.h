// Slow hashes, a few at a time and in fair turns.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "peiling/access/v1/access.pb.h"
#include "services/gateway/identity/digest.h"

namespace peiling::gateway {

// Checks wait in lanes, which take turns: whoever fills one lane makes the others wait for one hash more, not for all of theirs. Many
// checks of one secret in one lane become one hash. Thread-safe.
class SlowChecks {
 public:
  enum class Result { kMatches, kDiffers, kTooMany, kStopped };
  using Done = std::function<void(Result)>;
  // Whether a secret is the one of a hash; slow. Called on threads of this class.
  using Matches = std::function<bool(std::string_view secret, const access::v1::SecretHash& hash)>;

  struct Limits {
    int threads = 1;
    // Secrets that wait or are being hashed in one lane.
    size_t secrets_per_lane = 16;
    // Calls that wait in one lane; many may have shown the same secret.
    size_t calls_per_lane = 500;
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
    std::vector<Done> waiting;
  };
  // Jobs by digest, as long as they are not done, and the order of those not begun.
  struct Lane {
    std::map<Digest, Job> jobs;
    std::deque<Digest> order;
    size_t calls = 0;
  };

  bool Enqueue(const std::string& lane, const Digest& digest, std::string_view secret, const access::v1::SecretHash& hash, Done& done);
  void Run();
  std::vector<Done> Finish(const std::string& lane, const Digest& digest);

  const Limits limits_;
  const Matches matches_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, Lane> lanes_;
  // Lanes in which something waits to be begun, the next first.
  std::list<std::string> turns_;
  std::vector<std::thread> threads_;
};

}  // namespace peiling::gateway
