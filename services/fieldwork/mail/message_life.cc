#include "services/fieldwork/mail/message_life.h"

#include <algorithm>
#include <array>

#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {
namespace {

using storage::v1::StoredMessage;

// How much is said by a state that is known from outside; 0: nothing.
int Weight(v1::MessageState state) {
  switch (state) {
    case v1::MESSAGE_STATE_SENT:
      return 1;
    case v1::MESSAGE_STATE_FAILED:
      return 2;
    case v1::MESSAGE_STATE_DELIVERED:
      return 3;
    case v1::MESSAGE_STATE_BOUNCED:
      return 4;
    default:
      return 0;
  }
}

// What an event by itself says of the message.
v1::MessageState StateAfter(v1::DeliveryEventKind kind) {
  switch (kind) {
    case v1::DELIVERY_EVENT_KIND_ACCEPTED:
    case v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE:
      return v1::MESSAGE_STATE_SENT;
    case v1::DELIVERY_EVENT_KIND_REJECTED:
      return v1::MESSAGE_STATE_FAILED;
    case v1::DELIVERY_EVENT_KIND_HARD_BOUNCE:
      return v1::MESSAGE_STATE_BOUNCED;
    default:
      return v1::MESSAGE_STATE_DELIVERED;
  }
}

void Advance(StoredMessage& stored, v1::MessageState state) {
  v1::Message& message = *stored.mutable_message();
  if (Weight(state) <= Weight(message.state())) return;
  message.set_state(state);
  message.clear_lease_expires_at();
  message.clear_cancel_reason();
}

const v1::DeliveryEvent* UnheardOf(const StoredMessage& stored) {
  const auto& events = stored.message().events();
  const auto found = std::find_if(events.begin(), events.end(), [](const auto& event) { return event.provider() == kSettling; });
  return found == events.end() ? nullptr : &*found;
}

// Whether it was handed over, or may have been in an attempt nobody told the outcome of.
bool MayHaveGone(const StoredMessage& stored) {
  switch (stored.message().state()) {
    case v1::MESSAGE_STATE_DUE:
    case v1::MESSAGE_STATE_LEASED:
    case v1::MESSAGE_STATE_CANCELLED:
    case v1::MESSAGE_STATE_FAILED:
      return UnheardOf(stored) != nullptr;
    default:
      return true;
  }
}

}  // namespace

absl::Duration MailRetryDelay(int failures) {
  static constexpr std::array kMinutes = {1, 5, 15, 60, 240};
  return absl::Minutes(kMinutes[std::clamp(failures, 1, static_cast<int>(kMinutes.size())) - 1]);
}

absl::Time LeasableAt(const StoredMessage& stored) {
  return std::max(calendar::FromProto(stored.message().due_at()), calendar::FromProto(stored.retry_at()));
}

bool IsOpen(v1::MessageState state) { return Weight(state) == 0 && state != v1::MESSAGE_STATE_CANCELLED; }

bool CameBack(const v1::Message& message) { return message.state() == v1::MESSAGE_STATE_BOUNCED; }

bool IsOrWasUnder(const StoredMessage& stored, const std::string& lease_id) {
  if (stored.lease_id() == lease_id) return true;
  const v1::DeliveryEvent* unheard = UnheardOf(stored);
  return unheard != nullptr && unheard->event_id() == lease_id;
}

void Lease(StoredMessage& stored, const std::string& lease_id, absl::Time expires_at) {
  v1::Message& message = *stored.mutable_message();
  message.set_state(v1::MESSAGE_STATE_LEASED);
  message.set_attempts(message.attempts() + 1);
  *message.mutable_lease_expires_at() = calendar::ToProto(expires_at);
  stored.set_lease_id(lease_id);
}

void ReturnToQueue(StoredMessage& stored) {
  stored.mutable_message()->set_state(v1::MESSAGE_STATE_DUE);
  stored.mutable_message()->clear_lease_expires_at();
  stored.clear_lease_id();
}

void Untried(StoredMessage& stored) {
  stored.mutable_message()->set_attempts(stored.message().attempts() - 1);
  ReturnToQueue(stored);
}

void AwaitEvents(StoredMessage& stored, absl::Time until) {
  stored.mutable_message()->set_state(v1::MESSAGE_STATE_UNCERTAIN);
  *stored.mutable_message()->mutable_lease_expires_at() = calendar::ToProto(until);
}

void Settle(StoredMessage& stored, absl::Time now) {
  const bool before = UnheardOf(stored) != nullptr;
  v1::DeliveryEvent event;
  event.set_message(stored.message().name());
  event.set_provider(kSettling);
  event.set_event_id(stored.lease_id());
  event.set_kind(before ? v1::DELIVERY_EVENT_KIND_ACCEPTED : v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE);
  *event.mutable_time() = calendar::ToProto(now);
  event.set_diagnostic(before ? "unconfirmed: nothing was heard of it for the second time, so that it counts as sent"
                              : "nothing was heard of it, so that it is sent once more");
  if (before) return Apply(stored, event);
  Keep(stored, event);
  ReturnToQueue(stored);
}

void Cancel(StoredMessage& stored, v1::CancelReason reason) {
  stored.mutable_message()->set_state(v1::MESSAGE_STATE_CANCELLED);
  stored.mutable_message()->set_cancel_reason(reason);
  stored.mutable_message()->clear_lease_expires_at();
}

void Fail(StoredMessage& stored, absl::Time now) {
  stored.set_failures(stored.failures() + 1);
  if (stored.failures() > kMaxMailRetries) return FailForGood(stored);
  *stored.mutable_retry_at() = calendar::ToProto(now + MailRetryDelay(stored.failures()));
  ReturnToQueue(stored);
}

void ComeBack(StoredMessage& stored) { Advance(stored, v1::MESSAGE_STATE_BOUNCED); }

void FailForGood(StoredMessage& stored) { Advance(stored, v1::MESSAGE_STATE_FAILED); }

void Keep(StoredMessage& stored, const v1::DeliveryEvent& event) {
  auto& events = *stored.mutable_message()->mutable_events();
  *events.Add() = event;
  const auto time = [](const v1::DeliveryEvent& e) { return calendar::FromProto(e.time()); };
  for (int i = events.size() - 1; i > 0 && time(events[i]) < time(events[i - 1]); --i) events.SwapElements(i, i - 1);
  if (events.size() > kMaxMailEvents) events.erase(events.begin());
}

void Apply(StoredMessage& stored, const v1::DeliveryEvent& event) {
  Keep(stored, event);
  // It may be about an attempt that is known to have failed.
  if (event.kind() == v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE && !MayHaveGone(stored)) return;
  const v1::MessageState state = StateAfter(event.kind());
  Advance(stored, state);
  v1::Message& message = *stored.mutable_message();
  if (state == v1::MESSAGE_STATE_FAILED) return;
  if (!message.has_sent_at() || calendar::FromProto(event.time()) < calendar::FromProto(message.sent_at())) {
    *message.mutable_sent_at() = event.time();
  }
}

}  // namespace peiling::fieldwork
