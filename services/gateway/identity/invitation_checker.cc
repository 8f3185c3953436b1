#include "services/gateway/identity/invitation_checker.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/gateway/identity/network.h"

namespace peiling::gateway {
namespace {

using access::v1::Identity;
using Result = Verdict::Result;

constexpr std::string_view kPrefix = "peiling-uitnodiging_";
// As fieldwork takes it.
constexpr size_t kLongestToken = 1000;
// The last part of a token, with what parts it from the name of the invitation.
constexpr size_t kSecretLength = 44;
constexpr size_t kMostRemembered = 10'000;
constexpr std::chrono::seconds kRemembered(1);
constexpr std::chrono::seconds kLongestCall(10);

// Where it comes from, and what it says before its secret: so whose it claims to be.
LaneName LaneOf(std::string_view token, const std::string& origin) {
  return {NetworkOf(origin), std::string(token.substr(0, token.size() - std::min(token.size(), kSecretLength)))};
}

// As fieldwork promises it: nobody is let in with more than one response.
bool IsOfOneResponse(const Identity& identity) {
  if (identity.subject().empty() || identity.grants_size() != 1) return false;
  const access::v1::Grant& grant = identity.grants(0);
  return grant.role() == access::v1::ROLE_RESPONDENT && grant.resources_size() == 1 &&
         names::Match(grant.resources(0), "surveys/*/waves/*/responses/*").has_value();
}

Verdict ShuttingDown() { return Verdict::Refused(Result::kUncheckable, "shutting down"); }

}  // namespace

bool LooksLikeInvitation(std::string_view shown) { return shown.starts_with(kPrefix); }

// A call that is under way. A reactor and not a callback, after which gRPC still holds the call: then it may be the last to let go of a
// channel in process whose server is gone.
class InvitationChecker::Question final : public grpc::ClientUnaryReactor {
 public:
  Question(InvitationChecker& checker, Room& room)
      : room(room), turn(room.lanes.Begin()), asked(checker.steady_()), asked_at(checker.clock_()), checker_(checker) {
    request_.set_token(room.lanes.JobOf(turn));
    deadline::Set(context_, checker.deadline_);
  }

  void Ask() {
    checker_.fieldwork_->async()->VerifyToken(&context_, &request_, &response_, this);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }
  const Identity& identity() const { return response_.identity(); }
  void OnDone(const grpc::Status& status) override { checker_.OnAnswer(this, status); }

  Room& room;
  const Waiting::Turn turn;
  const Time asked;
  const std::chrono::system_clock::time_point asked_at;

 private:
  InvitationChecker& checker_;
  grpc::ClientContext context_;
  fieldwork::v1::VerifyTokenRequest request_;
  fieldwork::v1::VerifyTokenResponse response_;
};

InvitationChecker::InvitationChecker(std::unique_ptr<fieldwork::v1::InvitationService::StubInterface> fieldwork, const Limits& limits,
                                     Clock clock, SteadyClock steady)
    : fieldwork_(std::move(fieldwork)),
      deadline_(limits.deadline),
      clock_(std::move(clock)),
      steady_(std::move(steady)),
      held_(kMostRemembered),
      refused_(kMostRemembered),
      returning_(limits.lanes, limits.returning),
      strangers_(limits.lanes, limits.strangers) {}

InvitationChecker::~InvitationChecker() { Stop(); }

void InvitationChecker::Check(std::string_view token, const std::string& origin, OnVerdict done) {
  if (token.size() > kLongestToken) return done(Verdict::Refused(Result::kInvalid, "no token of an invitation"));
  const Digest digest = DigestOf(token);
  const std::optional<Answer> held = held_.Find(digest);
  const std::optional<Answer> known = held ? held : refused_.Find(digest);
  if (known && steady_() < known->until) return done(known->verdict);
  Verdict refusal = Verdict::Refused(Result::kTooMany, "too many invitations are being looked up");
  {
    const std::lock_guard lock(mutex_);
    Room& room = held ? returning_ : strangers_;
    if (stopping_) refusal = ShuttingDown();
    if (!stopping_ && room.lanes.Add(LaneOf(token, origin), digest, std::string(token), done)) return AskNext(room);
  }
  done(std::move(refusal));
}

bool InvitationChecker::StillHolds(const Identity& caller) const { return clock_() < TimeAt(caller.expires_at().seconds()); }

void InvitationChecker::AskNext(Room& room) {
  while (!stopping_ && room.asking < room.most && !room.lanes.idle()) {
    ++room.asking;
    auto question = std::make_unique<Question>(*this, room);
    Question* const asked = question.get();
    under_way_.emplace(asked, std::move(question));
    asked->Ask();
  }
}

void InvitationChecker::OnAnswer(Question* question, const grpc::Status& status) {
  const Verdict verdict = Judge(*question, status);
  const Digest& digest = question->turn.digest;
  const Answer answer{verdict, question->asked + kRemembered};
  if (verdict.result == Result::kHolds) {
    held_.Put(digest, answer);
  } else if (verdict.result == Result::kInvalid) {
    held_.Forget(digest);
    refused_.Put(digest, answer);
  }
  std::vector<OnVerdict> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting = question->room.lanes.End(question->turn);
    --question->room.asking;
    AskNext(question->room);
  }
  for (const OnVerdict& done : waiting) done(verdict);
  const std::lock_guard lock(mutex_);
  under_way_.erase(question);
  changed_.notify_all();
}

Verdict InvitationChecker::Judge(const Question& question, const grpc::Status& status) const {
  const absl::Status answer = status::FromGrpc(status);
  if (status::Reason(answer) == "TOKEN_UNKNOWN") return Verdict::Refused(Result::kInvalid, "no token of an invitation that holds");
  if (!status.ok()) return Verdict::Refused(Result::kUncheckable, absl::StrCat("fieldwork: ", absl::StatusCodeToString(answer.code())));
  Identity identity = question.identity();
  if (!IsOfOneResponse(identity)) return Verdict::Refused(Result::kUncheckable, "fieldwork: an identity of another form");
  identity.set_credential(access::v1::CREDENTIAL_KIND_INVITATION);
  identity.mutable_expires_at()->set_seconds(std::chrono::system_clock::to_time_t(question.asked_at + kLongestCall));
  identity.mutable_expires_at()->set_nanos(0);
  return Verdict::Holds(std::move(identity));
}

void InvitationChecker::Stop() {
  std::vector<OnVerdict> left;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [question, owned] : under_way_) question->Cancel();
    changed_.wait(lock, [this] { return under_way_.empty(); });
    left = strangers_.lanes.EndAll();
    std::vector<OnVerdict> returning = returning_.lanes.EndAll();
    std::move(returning.begin(), returning.end(), std::back_inserter(left));
  }
  for (const OnVerdict& done : left) done(ShuttingDown());
}

}  // namespace peiling::gateway
