#include "services/fieldwork/webhooks/webhook_sender.h"

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"

namespace peiling::fieldwork {
namespace {

constexpr std::chrono::milliseconds kPause(500);
constexpr int kGone = 410;

bool Arrived(int http_status) { return http_status >= 200 && http_status < 300; }

}  // namespace

void WebhookSender::Start() {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back(&WebhookSender::Run, this);
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

void WebhookSender::Run() {
  while (true) {
    const absl::StatusOr<bool> sent = SendNext();
    if (!sent.ok()) log::Warning("cannot send to webhooks", {{"error", sent.status().ToString()}});
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (sent.ok() && *sent) continue;
    if (wake_.wait_for(lock, kPause, [this] { return stopping_; })) return;
  }
}

absl::StatusOr<bool> WebhookSender::SendNext() {
  const auto taken = store_.Take(options_.hold);
  if (!taken.ok()) return taken.status();
  if (!*taken) return false;
  const DueDelivery& due = **taken;
  const std::string& id = due.delivery.event_id();
  const int64_t now = absl::ToUnixSeconds(clock_());
  const absl::StatusOr<int> answer = post_(due.webhook.url(),
                                           {{"content-type", "application/cloudevents+json; charset=utf-8"},
                                            {"webhook-id", id},
                                            {"webhook-timestamp", absl::StrCat(now)},
                                            {"webhook-signature", Signatures(due.secrets, id, now, due.body)}},
                                           due.body);
  if (answer.ok() && Arrived(*answer)) {
    if (const absl::Status noted = store_.Delivered(due); !noted.ok()) return noted;
    return true;
  }
  const size_t attempts = due.delivery.attempts();
  // Who says that the address is gone for good is believed.
  const bool give_up = attempts > options_.pauses.size() || (answer.ok() && *answer == kGone);
  const std::optional<absl::Time> again = give_up ? std::nullopt : std::optional(clock_() + options_.pauses[attempts - 1]);
  const std::string error = answer.ok() ? absl::StrCat("answers ", *answer) : std::string(answer.status().message());
  if (give_up) log::Warning("a webhook's event is given up", {{"delivery", due.delivery.name()}, {"error", error}});
  if (const absl::Status noted = store_.Failed(due, answer.value_or(0), error, again); !noted.ok()) return noted;
  return true;
}

}  // namespace peiling::fieldwork
