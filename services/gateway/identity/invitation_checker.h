// Checks the tokens of invitations.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "peiling/fieldwork/v1/invitations.grpc.pb.h"
#include "services/gateway/identity/digest.h"
#include "services/gateway/identity/lanes.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// Whether what was shown is to be looked at as an invitation's token: it begins with "peiling-uitnodiging_".
bool LooksLikeInvitation(std::string_view shown);

// Asks fieldwork, which knows what was replaced, revoked or removed this moment. What it said is remembered for a second from the question
// on, by the digest of the token: so a token that has ceased to hold lets nobody in later than a second after that. Identities expire ten
// seconds after the question: so long a stream may go on. A call that is long in coming is asked about again (Visit::Renew).
//
// Questions are bounded in number. Tokens that have held are asked about beside all others; those others wait in lanes, one for each
// network that they come from and invitation that they name, which take turns: so a flood of guesses holds up the first use of a link for a
// moment, and fills the lanes of its own networks alone.
//
// Thread-safe.
class InvitationChecker {
 public:
  using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;

  struct Limits {
    // Questions under way at once about tokens that have held, and about others.
    size_t returning = 128;
    size_t strangers = 32;
    LaneLimits lanes = {.secrets_per_lane = 4, .calls_per_lane = 64, .lanes_per_group = 64};
    // For which a question waits. No longer than its answer is remembered: what comes later may have ceased to hold.
    std::chrono::milliseconds deadline{1000};
  };

  InvitationChecker(std::unique_ptr<fieldwork::v1::InvitationService::StubInterface> fieldwork, const Limits& limits,
                    Clock clock = std::chrono::system_clock::now, SteadyClock steady = std::chrono::steady_clock::now);
  ~InvitationChecker();  // Stops.
  InvitationChecker(const InvitationChecker&) = delete;
  InvitationChecker& operator=(const InvitationChecker&) = delete;

  // `origin`: address of who shows it. Calls `done` once, maybe at once. Does not block.
  void Check(std::string_view token, const std::string& origin, OnVerdict done);
  // Of a token that held: whether its identity has not expired since.
  bool StillHolds(const access::v1::Identity& caller) const;
  // Ends the questions under way, and all that wait. May be called twice, not by `done`.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Waiting = Lanes<std::string, OnVerdict>;

  // Those who wait, and how many of them are asked about.
  struct Room {
    Room(const LaneLimits& limits, size_t most) : lanes(limits), most(most) {}

    Waiting lanes;
    const size_t most;
    size_t asking = 0;
  };
  class Question;
  // What was said of a token, and until when that holds.
  struct Answer {
    Verdict verdict;
    Time until;
  };

  // Begins as many questions as there is room for. With the mutex.
  void AskNext(Room& room);
  void OnAnswer(Question* question, const grpc::Status& status);
  Verdict Judge(const Question& question, const grpc::Status& status) const;

  const std::unique_ptr<fieldwork::v1::InvitationService::StubInterface> fieldwork_;
  const std::chrono::milliseconds deadline_;
  const Clock clock_;
  const SteadyClock steady_;
  RecentCredentials<Answer> held_;
  RecentCredentials<Answer> refused_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  Room returning_;
  Room strangers_;
  std::map<Question*, std::unique_ptr<Question>> under_way_;
};

}  // namespace peiling::gateway
