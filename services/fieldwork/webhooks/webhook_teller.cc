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
  absl::Status first;
  std::map<std::string, Told> known = std::exchange(told_, {});
  for (const v1::Webhook& webhook : *webhooks) {
    auto found = known.extract(webhook.name());
    if (found.empty()) {
      const auto told = store_.Told(webhook);
      first.Update(told.status());
      if (!told.ok()) continue;
      told_[webhook.name()].insert(told->begin(), told->end());
    } else {
      told_.insert(std::move(found));
    }
    first.Update(TellAllWaves(webhook, told_[webhook.name()]));
  }
  return first;
}

absl::Status WebhookTeller::TellAllWaves(const v1::Webhook& webhook, Told& told) {
  absl::Status first;
  for (const std::string& wave : book_.Waves()) {
    if (!webhook.resource().empty() && !identity::LiesWithin(wave, webhook.resource())) continue;
    first.Update(TellOf(wave, webhook, told));
  }
  return first;
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
      const absl::Status done = TellOnce(webhook, event, id, absl::ToUnixMicros(stand.submitted_at), told);
      if (!done.ok()) return done;
    }
  }
  const absl::Time closes = facts.has_closes_at() ? calendar::FromProto(facts.closes_at()) : absl::InfiniteFuture();
  if (Wants(webhook, v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED) && closes >= since && closes <= clock_()) {
    const WebhookEvent event{.type = v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED, .wave = wave, .time = closes};
    const absl::Status done = TellOnce(webhook, event, "|closed", absl::ToUnixSeconds(closes), told);
    if (!done.ok()) return done;
  }
  return Wants(webhook, v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED) ? TellExtensions(facts, webhook, told) : absl::OkStatus();
}

absl::Status WebhookTeller::TellExtensions(const intake::v1::Wave& wave, const v1::Webhook& webhook, Told& told) {
  constexpr char kWhat[] = "|extended";
  const absl::Time since = calendar::FromProto(webhook.created_at());
  const auto before = told.find(absl::StrCat(wave.name(), "|", kWhat));
  if (!wave.has_extended_at() || calendar::FromProto(wave.extended_at()) < since) return absl::OkStatus();
  if (before != told.end() && before->second >= wave.extensions()) return absl::OkStatus();
  // The wave has the last one alone.
  const auto changes = history_(wave.name());
  if (!changes.ok()) return changes.status();
  int number = 0;
  for (const intake::v1::WaveChange& change : *changes) {
    if (change.kind() != intake::v1::WAVE_CHANGE_KIND_EXTENDED) continue;
    ++number;
    const absl::Time time = calendar::FromProto(change.changed_at());
    if (time < since) continue;
    const WebhookEvent event{.type = v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED,
                             .wave = wave.name(),
                             .time = time,
                             .closes_at = calendar::FromProto(change.times().closes_at()),
                             .extensions = number};
    if (const absl::Status done = TellOnce(webhook, event, kWhat, number, told); !done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status WebhookTeller::TellOnce(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what, int64_t value,
                                     Told& told) {
  int64_t& before = told[absl::StrCat(event.wave, "|", what)];
  if (before >= value) return absl::OkStatus();
  if (const absl::Status done = store_.Tell(webhook, event, what, value); !done.ok()) return done;
  before = value;
  return absl::OkStatus();
}

}  // namespace peiling::fieldwork
