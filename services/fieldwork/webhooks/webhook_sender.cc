#include "services/fieldwork/webhooks/webhook_sender.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

constexpr std::chrono::milliseconds kPause(500);
constexpr int kGone = 410;

bool Arrived(const absl::StatusOr<int>& answer) { return answer.ok() && *answer >= 200 && *answer < 300; }

}  // namespace

void WebhookSender::Start() {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back(&WebhookSender::Run, this, i);
}

void WebhookSender::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WebhookSender::Run(int number) {
  // They look in turn, and who finds something wakes the next.
  std::chrono::milliseconds pause = number * kPause;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!stopping_ && pause.count() > 0) wake_.wait_for(lock, pause);
      if (stopping_) return;
    }
    const absl::StatusOr<bool> sent = SendNext();
    if (!sent.ok()) log::Warning("cannot send to webhooks", {{"error", sent.status().ToString()}});
    pause = sent.ok() && *sent ? std::chrono::milliseconds(0) : options_.threads * kPause;
  }
}

bool WebhookSender::May(const std::string& webhook, absl::Time now) const {
  const auto found = receivers_.find(webhook);
  if (found == receivers_.end()) return true;
  const Receiver& receiver = found->second;
  return !receiver.busy && now >= receiver.rests_until && failing_under_way_ < std::max(1, options_.threads / 2);
}

absl::StatusOr<std::optional<DueDelivery>> WebhookSender::Take() {
  const std::lock_guard lock(mutex_);
  const absl::Time now = clock_();
  auto taken = store_.Take(options_.hold, last_, [&](const std::string& webhook) { return May(webhook, now); });
  if (!taken.ok() || !*taken) return taken;
  last_ = names::LastId((*taken)->webhook.name());
  Receiver& receiver = receivers_[last_];
  receiver.busy = true;
  if (receiver.failing) ++failing_under_way_;
  wake_.notify_one();
  return taken;
}

void WebhookSender::Done(const std::string& webhook, bool arrived) {
  const std::lock_guard lock(mutex_);
  Receiver& receiver = receivers_[webhook];
  if (receiver.failing) --failing_under_way_;
  if (arrived) {
    receivers_.erase(webhook);
  } else {
    receiver = {.busy = false, .failing = true, .rests_until = clock_() + options_.pauses.front()};
  }
}

absl::StatusOr<int> WebhookSender::Attempt(const DueDelivery& due) const {
  if (!due.secrets.ok()) return absl::FailedPreconditionError("its secret cannot be opened");
  const std::string& id = due.delivery.event_id();
  const int64_t now = absl::ToUnixSeconds(clock_());
  return post_(due.webhook.url(),
               {{"content-type", "application/cloudevents+json; charset=utf-8"},
                {"webhook-id", id},
                {"webhook-timestamp", absl::StrCat(now)},
                {"webhook-signature", Signatures(*due.secrets, id, now, due.body)}},
               due.body);
}

absl::Status WebhookSender::Note(const DueDelivery& due, const absl::StatusOr<int>& answer) {
  if (Arrived(answer)) return store_.Delivered(due);
  const size_t attempts = due.delivery.attempts();
  // Who says that the address is gone for good is believed.
  const bool give_up = attempts > options_.pauses.size() || answer.value_or(0) == kGone;
  const std::optional<absl::Time> again = give_up ? std::nullopt : std::optional(clock_() + options_.pauses[attempts - 1]);
  const std::string error = answer.ok() ? absl::StrCat("answers ", *answer) : std::string(answer.status().message());
  if (give_up) log::Warning("a webhook's event is given up", {{"delivery", due.delivery.name()}, {"error", error}});
  return store_.Failed(due, answer.value_or(0), error, again);
}

absl::StatusOr<bool> WebhookSender::SendNext() {
  const auto taken = Take();
  if (!taken.ok()) return taken.status();
  if (!*taken) return false;
  const absl::StatusOr<int> answer = Attempt(**taken);
  const absl::Status noted = Note(**taken, answer);
  Done(names::LastId((*taken)->webhook.name()), Arrived(answer));
  if (!noted.ok()) return noted;
  return true;
}

}  // namespace peiling::fieldwork
