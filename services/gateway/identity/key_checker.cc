#include "services/gateway/identity/key_checker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"

namespace peiling::gateway {
namespace {

constexpr size_t kMostRefusals = 10'000;
constexpr char kSharedLane[] = "";

}  // namespace

KeyChecker::KeyChecker(KeyRing& ring, const SlowChecks::Limits& limits, SlowChecks::Matches matches, Clock clock)
    : ring_(ring),
      clock_(std::move(clock)),
      dummy_(identity::Hash(identity::NewSecret(identity::NewKeyId()))),
      refused_(kMostRefusals),
      slow_(limits, std::move(matches)) {}

void KeyChecker::Check(std::string_view secret, OnVerdict done) {
  Shown shown{std::string(secret), DigestOf(secret), identity::ParseKeyId(secret).value_or("")};
  const KeyRing::Found found = ring_.Find(shown.id, shown.digest);
  shown.changes = found.changes;
  if (found.changes == 0) return done(Verdict::Refused(Verdict::Result::kUncheckable, "the keys of access are not known yet"));
  if (found.recognised) return done(Judge(*found.key));
  if (auto refusal = refused_.Find(shown.digest); refusal.has_value() && refusal->changes == shown.changes) {
    return done(std::move(refusal->verdict));
  }
  CheckSlowly(std::move(shown), found.key, std::move(done));
}

bool KeyChecker::StillHolds(const access::v1::Identity& caller) const {
  const auto key = ring_.Find(names::LastId(caller.subject()), {}).key;
  return key != nullptr && Usable(*key);
}

Verdict KeyChecker::Judge(const KnownKey& key) const {
  if (key.revoked) return Verdict::Refused(Verdict::Result::kInvalid, absl::StrCat(key.identity.subject(), " is revoked"));
  if (clock_() >= key.expires) return Verdict::Refused(Verdict::Result::kExpired, absl::StrCat(key.identity.subject(), " has expired"));
  return Verdict::Holds(key.identity);
}

void KeyChecker::CheckSlowly(Shown shown, const std::shared_ptr<const KnownKey>& key, OnVerdict done) {
  const std::string lane = key != nullptr && Usable(*key) ? shown.id : kSharedLane;
  const access::v1::SecretHash& hash = key != nullptr ? key->hash : dummy_;
  const Digest digest = shown.digest;
  const std::string secret = shown.secret;
  slow_.Check(lane, digest, secret, hash, [this, shown = std::move(shown), key, done = std::move(done)](SlowChecks::Result result) {
    Finish(shown, key, result, done);
  });
}

void KeyChecker::Finish(const Shown& shown, const std::shared_ptr<const KnownKey>& checked, SlowChecks::Result result,
                        const OnVerdict& done) {
  if (result == SlowChecks::Result::kTooMany) {
    return done(Verdict::Refused(Verdict::Result::kTooMany, "too many keys are waiting to be hashed"));
  }
  if (result == SlowChecks::Result::kStopped) return done(Verdict::Refused(Verdict::Result::kUncheckable, "shutting down"));
  // As it is now: during the hash it may have come, gone or been revoked.
  const std::shared_ptr<const KnownKey> key = ring_.Find(shown.id, shown.digest).key;
  if (key == nullptr) return done(Refuse(shown, shown.id.empty() ? "not a key" : "unknown key"));
  if (checked == nullptr || !SameHash(*checked, *key)) return CheckSlowly(shown, key, done);
  if (result == SlowChecks::Result::kDiffers) return done(Refuse(shown, absl::StrCat("not the secret of ", key->identity.subject())));
  ring_.Recognise(shown.id, *key, shown.digest);
  done(Judge(*key));
}

Verdict KeyChecker::Refuse(const Shown& shown, const std::string& why) {
  Verdict verdict = Verdict::Refused(Verdict::Result::kInvalid, why);
  refused_.Put(shown.digest, {shown.changes, verdict});
  return verdict;
}

}  // namespace peiling::gateway
