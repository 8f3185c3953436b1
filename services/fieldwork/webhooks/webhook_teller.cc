#include "services/fieldwork/webhooks/webhook_teller.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/identity/identity.h"
#include "services/common/log/log.h"

namespace peiling::fieldwork {
namespace {

// How long nothing may happen until it is looked again: a wave closes without anybody doing anything.
constexpr absl::Duration kLookAgain = absl::Seconds(1);

bool Wants(const v1::Webhook& webhook, v1::WebhookEventType type) {
  return std::find(webhook.event_types().begin(), webhook.event_types().end(), type) != webhook.event_types().end();
}

std::vector<std::pair<std::string, ResponseStand>> SubmittedResponses(const WaveBook& book, const std::string& wave, absl::Time since) {
  std::vector<std::pair<std::string, ResponseStand>> submitted;
  book.ForEachResponse(wave, [&](const std::string& id, const ResponseStand& stand) {
    if (stand.state != intake::v1::RESPONSE_STATE_SUBMITTED || stand.test || stand.submitted_at < since) return;
    submitted.emplace_back(id, stand);
  });
  std::sort(submitted.begin(), submitted.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.submitted_at, a.first) < std::tie(b.second.submitted_at, b.first);
  });
  return submitted;
}

}  // namespace

void WebhookTeller::Start() { thread_ = std::thread(&WebhookTeller::Run, this); }

void WebhookTeller::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void WebhookTeller::Run() {
  for (uint64_t seen = 0; !stopping_;) {
    if (const absl::Status told = Tell(); !told.ok()) log::Warning("cannot tell webhooks", {{"error", told.ToString()}});
    seen = book_.AwaitChange(seen, kLookAgain);
  }
}

absl::Status WebhookTeller::Tell() {
  const auto webhooks = store_.All();
  if (!webhooks.ok()) return webhooks.status();
  std::map<std::string, Told> known = std::exchange(told_, {});
  for (const v1::Webhook& webhook : *webhooks) {
    auto found = known.extract(webhook.name());
    if (found.empty()) {
      const auto told = store_.Told(webhook);
      if (!told.ok()) return told.status();
      told_[webhook.name()].insert(told->begin(), told->end());
    } else {
      told_.insert(std::move(found));
    }
    for (const std::string& wave : book_.Waves()) {
      if (!webhook.resource().empty() && !identity::LiesWithin(wave, webhook.resource())) continue;
      if (const absl::Status done = TellOf(wave, webhook, told_[webhook.name()]); !done.ok()) return done;
    }
  }
  return absl::OkStatus();
}

absl::Status WebhookTeller::TellOf(const std::string& wave, const v1::Webhook& webhook, Told& told) {
  const auto details = book_.Get(wave);
  if (!details.ok()) return absl::OkStatus();  // Next time.
  const absl::Time since = calendar::FromProto(webhook.created_at());
  const intake::v1::Wave& facts = (*details)->wave;
  if (Wants(webhook, v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED)) {
    for (const auto& [id, stand] : SubmittedResponses(book_, wave, since)) {
      const WebhookEvent event{.type = v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED,
                               .wave = wave,
                               .time = stand.submitted_at,
                               .response = absl::StrCat(wave, "/responses/", id),
                               .municipalities = stand.municipalities};
      const absl::Status done = TellOnce(webhook, event, id, absl::StrCat(absl::ToUnixMicros(stand.submitted_at)), told);
      if (!done.ok()) return done;
    }
  }
  const absl::Time closes = facts.has_closes_at() ? calendar::FromProto(facts.closes_at()) : absl::InfiniteFuture();
  if (Wants(webhook, v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED) && closes >= since && closes <= clock_()) {
    const WebhookEvent event{.type = v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED, .wave = wave, .time = closes};
    const absl::Status done = TellOnce(webhook, event, "|closed", absl::StrCat(absl::ToUnixSeconds(closes)), told);
    if (!done.ok()) return done;
  }
  const absl::Time extended = facts.has_extended_at() ? calendar::FromProto(facts.extended_at()) : absl::InfinitePast();
  if (!Wants(webhook, v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED) || extended < since) return absl::OkStatus();
  const WebhookEvent event{
      .type = v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED, .wave = wave, .time = extended, .closes_at = closes, .extensions = facts.extensions()};
  return TellOnce(webhook, event, "|extended", absl::StrCat(facts.extensions()), told);
}

absl::Status WebhookTeller::TellOnce(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what,
                                     const std::string& value, Told& told) {
  std::string& before = told[absl::StrCat(event.wave, "|", what)];
  if (before == value) return absl::OkStatus();
  if (const absl::Status done = store_.Tell(webhook, event, what, value); !done.ok()) return done;
  before = value;
  return absl::OkStatus();
}

}  // namespace peiling::fieldwork
