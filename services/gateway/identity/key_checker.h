// Checks API keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/common/identity/key_secret.h"
#include "services/gateway/identity/key_ring.h"
#include "services/gateway/identity/slow_checks.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// A key that was right once is told by its digest from then on, in microseconds, until access says otherwise. All else takes a slow hash:
// of its own salt when the key is known, of a fixed dummy's when it is not or is no key at all, so that nobody learns from how much work
// was done which keys there are.
//
// Keys that may be used have a lane each, and all that is unknown, revoked or no key shares one: a flood of guesses holds up the first use
// of a good key for one hash, not for the flood's. What was refused is refused at once when it is shown again, until some key changes.
//
// Thread-safe.
class KeyChecker {
 public:
  // The ring must outlive it.
  KeyChecker(KeyRing& ring, const SlowChecks::Limits& limits, SlowChecks::Matches matches = identity::Matches,
             Clock clock = std::chrono::system_clock::now);

  // `secret` is what was shown, whatever it looks like. Calls `done` once, maybe at once.
  void Check(std::string_view secret, OnVerdict done);
  // Of a key that was right: whether it may still be used.
  bool StillHolds(const access::v1::Identity& caller) const;
  // Ends what waits.
  void Stop() { slow_.Stop(); }

 private:
  // A refusal, and what the ring had changed by then.
  struct Refusal {
    uint64_t changes = 0;
    Verdict verdict;
  };
  // What is being checked.
  struct Shown {
    std::string secret;
    Digest digest;
    // Empty for what is no key.
    std::string id;
    uint64_t changes = 0;
  };

  bool Usable(const KnownKey& key) const { return !key.revoked && clock_() < key.expires; }
  // Of a key whose secret was shown.
  Verdict Judge(const KnownKey& key) const;
  // `key` is null when it is unknown.
  void CheckSlowly(Shown shown, const std::shared_ptr<const KnownKey>& key, OnVerdict done);
  void Finish(const Shown& shown, const std::shared_ptr<const KnownKey>& checked, SlowChecks::Result result, const OnVerdict& done);
  Verdict Refuse(const Shown& shown, const std::string& why);

  KeyRing& ring_;
  const Clock clock_;
  const access::v1::SecretHash dummy_;
  RecentCredentials<Refusal> refused_;
  SlowChecks slow_;
};

}  // namespace peiling::gateway
