#include "services/gateway/identity/token_verifier.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/gateway/identity/token_claims.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;

constexpr size_t kMostKnown = 10'000;

Verdict Malformed(const absl::Status& why) {
  return Verdict::Refused(Result::kInvalid, std::string(why.message().data(), why.message().size()));
}

}  // namespace

TokenVerifier::TokenVerifier(std::vector<TrustedIssuer> issuers, std::chrono::seconds skew, Clock clock)
    : issuers_(std::move(issuers)), skew_(skew), clock_(std::move(clock)), known_(kMostKnown) {}

void TokenVerifier::Check(std::string_view token, const OnVerdict& done) {
  const Digest digest = DigestOf(token);
  if (const auto known = Recognise(digest); known != nullptr) return done(Verdict::Holds(known->identity));
  const auto taken = TakeApart(token);
  if (!taken.ok()) return done(Malformed(taken.status()));
  Attempt attempt = Try(*taken, digest);
  const bool told = attempt.verdict.has_value() || (attempt.key_found && !attempt.keys_missing);
  if (told || issuers_.empty()) return done(Conclude(std::move(attempt)));
  TryWithNewKeys(token, attempt, done);
}

bool TokenVerifier::StillHolds(const access::v1::Identity& caller) const {
  const auto is_by = [&caller](const TrustedIssuer& issuer) {
    if (!absl::StartsWith(caller.subject(), absl::StrCat("tokens/", issuer.rules.name, "/"))) return false;
    const auto keys = issuer.keys->current();
    return keys == nullptr || !keys->empty();
  };
  return clock_() < TimeAt(caller.expires_at().seconds()) + skew_ && std::any_of(issuers_.begin(), issuers_.end(), is_by);
}

std::shared_ptr<const TokenVerifier::Known> TokenVerifier::Recognise(const Digest& digest) {
  const auto known = known_.Find(digest).value_or(nullptr);
  if (known == nullptr || (clock_() < known->until && known->source->current() == known->keys)) return known;
  return nullptr;
}

TokenVerifier::Attempt TokenVerifier::Try(const SignedToken& token, const Digest& digest) {
  Attempt attempt;
  for (const TrustedIssuer& issuer : issuers_) {
    const auto keys = issuer.keys->current();
    attempt.keys_missing |= keys == nullptr;
    const TokenKey* key = keys == nullptr ? nullptr : keys->Find(token.key_id, token.algorithm);
    if (key == nullptr) continue;
    attempt.key_found = true;
    if (!key->Signed(token.text, token.signature)) continue;
    attempt.verdict = JudgeClaims(token.payload, issuer.rules, clock_(), skew_);
    if (attempt.verdict->result != Result::kHolds) continue;
    const auto until = std::chrono::system_clock::from_time_t(attempt.verdict->identity.expires_at().seconds()) + skew_;
    known_.Put(digest, std::make_shared<Known>(Known{attempt.verdict->identity, until, issuer.keys.get(), keys}));
    break;
  }
  return attempt;
}

Verdict TokenVerifier::Conclude(Attempt attempt) const {
  if (attempt.verdict.has_value()) return *std::move(attempt.verdict);
  if (attempt.key_found) return Verdict::Refused(Result::kInvalid, "token: not signed by the key it names");
  for (const TrustedIssuer& issuer : issuers_) {
    if (issuer.keys->failing()) return Verdict::Refused(Result::kUncheckable, "token: keys of " + issuer.rules.name + " cannot be read");
  }
  return Verdict::Refused(Result::kInvalid, "token: by a key that no issuer has");
}

void TokenVerifier::TryWithNewKeys(std::string_view token, const Attempt& attempt, const OnVerdict& done) {
  // One for each reading, and one for this function, so that the last to go tries and nobody before.
  auto left = std::make_shared<std::atomic<size_t>>(1);
  const auto try_again = [self = shared_from_this(), token = std::string(token), done, left] {
    if (--*left > 0) return;
    // Good the first time, so good now.
    done(self->Conclude(self->Try(*TakeApart(token), DigestOf(token))));
  };
  bool waits = false;
  bool too_many = false;
  for (const TrustedIssuer& issuer : issuers_) {
    ++*left;
    const KeySource::Refresh refresh = issuer.keys->RefreshNow(try_again);
    waits |= refresh == KeySource::Refresh::kWaits;
    too_many |= refresh == KeySource::Refresh::kTooMany;
    if (refresh != KeySource::Refresh::kWaits) --*left;
  }
  if (waits) return try_again();
  done(too_many ? Verdict::Refused(Result::kTooMany, "token: too many wait for keys") : Conclude(attempt));
}

}  // namespace peiling::gateway
