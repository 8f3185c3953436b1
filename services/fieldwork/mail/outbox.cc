#include "services/fieldwork/mail/outbox.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/fieldwork/mail/delivery_event.h"
#include "services/fieldwork/mail/message_life.h"
#include "services/fieldwork/mail/message_table.h"
#include "services/fieldwork/mail/return_token.h"

namespace peiling::fieldwork {
namespace {

using storage::v1::MailLease;
using storage::v1::PendingSuppression;
using storage::v1::StoredMessage;

// How often a lost race is run again before the caller is told.
constexpr int kAttempts = 20;
constexpr size_t kReadAtOnce = 1000;
constexpr int kDefaultLease = 100;
constexpr int kMaxLease = 1000;
constexpr absl::Duration kDefaultLeaseDuration = absl::Minutes(5);
// Of a page of messages: those looked at, and its bytes.
constexpr size_t kMaxScanned = 10'000;
constexpr size_t kMaxPageBytes = 2 << 20;
// A mail, before any was seen.
constexpr size_t kGuessedBytes = 4096;

constexpr char kLeasePrefix[] = "lease/request/";

const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Tries until it is not a lost race. The number of races lost is the argument.
template <typename Try>
auto Retry(const Try& attempt) {
  for (int lost = 0;; ++lost) {
    auto result = attempt(lost);
    if (status::Reason(StatusOf(result)) != "CONCURRENT_CHANGE" || lost + 1 == kAttempts) return result;
    storage::PauseAfterRace(lost + 1);
  }
}

absl::Status LostRace(const std::string& wave) {
  return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", absl::StrCat("messages of ", wave, " changed; try again"));
}

std::string NewLeaseId() {
  std::string bytes(16, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) != 1) std::abort();
  return absl::BytesToHexString(bytes);
}

std::string Sha256(const std::string& text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// Where the lease somebody asked for is kept.
std::string LeaseKey(const std::string& caller, const std::string& request_id) {
  return kLeasePrefix + absl::BytesToHexString(Sha256(caller + '\0' + request_id).substr(0, 16));
}

// Whether a mail that is made now goes where the one that was leased does, with the same link.
bool IsAsLeased(const Mail& mail, const StoredMessage& stored) {
  return mail.address_token == stored.address_token() && Sha256(mail.link) == stored.link_hash();
}

std::string EventKey(const v1::DeliveryEvent& event) { return absl::StrCat("event/", event.provider(), "/", event.event_id()); }

std::string SuppressionKey(const PendingSuppression& pending) {
  return absl::StrCat(kSuppressPrefix, names::LastId(pending.message()), "/", static_cast<int>(pending.reason()));
}

// Ids of messages that are of the wave; others cannot be found.
std::string IdOf(const std::string& name, const std::string& wave) {
  return names::WaveOf(name) == wave ? names::LastId(name) : std::string();
}

// Whether an error is about the service rather than about one message.
bool IsForNow(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsAborted(status) || absl::IsDeadlineExceeded(status);
}

bool IsUnder(const StoredMessage& stored, const std::string& lease_id) { return stored.lease_id() == lease_id; }

v1::MailItemResult Result(const std::string& message, v1::MailResult result) {
  v1::MailItemResult item;
  item.set_message(message);
  item.set_result(result);
  return item;
}

v1::MailItemResult Invalid(const std::string& message, const std::string& problem) {
  v1::MailItemResult item = Result(message, v1::MAIL_RESULT_INVALID);
  item.set_problem(problem);
  return item;
}

v1::MailItemResult Cancelled(const v1::Message& message) {
  v1::MailItemResult item = Result(message.name(), v1::MAIL_RESULT_CANCELLED);
  item.set_cancel_reason(message.cancel_reason());
  return item;
}

// An event as it is kept: nothing happens to a message before it can be leased, nor in the future.
v1::DeliveryEvent Kept(const v1::DeliveryEvent& event, const v1::Message& message, absl::Time now) {
  v1::DeliveryEvent kept = event;
  const absl::Time time = std::min(calendar::FromProto(event.time()), now);
  *kept.mutable_time() = calendar::ToProto(std::max(time, calendar::FromProto(message.due_at())));
  kept.set_diagnostic(WithoutAddresses(event.diagnostic()));
  kept.clear_return_token();
  return kept;
}

// The outcome of sending as an event, to be kept with the message.
v1::DeliveryEvent EventOf(const v1::MailOutcome& outcome, const std::string& lease_id, absl::Time now) {
  v1::DeliveryEvent event;
  event.set_message(outcome.message());
  event.set_provider(kCompletion);
  event.set_event_id(lease_id);
  event.set_kind(outcome.sent()           ? v1::DELIVERY_EVENT_KIND_ACCEPTED
                 : !outcome.permanent()   ? v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE
                 : BlamesAddress(outcome) ? v1::DELIVERY_EVENT_KIND_HARD_BOUNCE
                                          : v1::DELIVERY_EVENT_KIND_REJECTED);
  *event.mutable_time() = calendar::ToProto(now);
  event.set_smtp_code(outcome.smtp_code());
  event.set_enhanced_code(outcome.enhanced_code());
  event.set_diagnostic(WithoutAddresses(outcome.diagnostic()));
  return event;
}

bool HasEvent(const StoredMessage& stored, const v1::DeliveryEvent& event) {
  return std::any_of(stored.message().events().begin(), stored.message().events().end(), [&event](const v1::DeliveryEvent& kept) {
    return kept.provider() == event.provider() && kept.event_id() == event.event_id();
  });
}

// Notes that the address of a message is to be suppressed, in the commit that knows why.
void SuppressWith(MessageChange& change, const StoredMessage& stored, v1::SuppressionReason reason,
                  std::vector<PendingSuppression>& pending) {
  if (reason == v1::SUPPRESSION_REASON_UNSPECIFIED) return;
  PendingSuppression suppression;
  suppression.set_address_token(stored.address_token());
  suppression.set_reason(reason);
  suppression.set_message(stored.message().name());
  const std::string key = SuppressionKey(suppression);
  const bool known = std::any_of(pending.begin(), pending.end(), [&key](const auto& other) { return SuppressionKey(other) == key; });
  if (known) return;
  change.Add({.key = key, .value = suppression.SerializeAsString()});
  pending.push_back(std::move(suppression));
}

// What the outcome of sending makes of a message.
v1::MailItemResult Complete(StoredMessage& stored, const v1::MailOutcome& outcome, const std::string& lease_id, absl::Time now) {
  v1::Message& message = *stored.mutable_message();
  if (stored.completed_lease_id() == lease_id) return Result(outcome.message(), v1::MAIL_RESULT_REPEATED);
  const v1::DeliveryEvent event = EventOf(outcome, lease_id, now);
  if (outcome.sent()) {
    // Also when somebody else has it by now.
    if (!IsOrWasUnder(stored, lease_id)) return Result(outcome.message(), v1::MAIL_RESULT_LEASE_LOST);
    if (HasEvent(stored, event)) return Result(outcome.message(), v1::MAIL_RESULT_REPEATED);
    if (!outcome.provider_message_id().empty()) message.set_provider_message_id(outcome.provider_message_id());
    Apply(stored, event);
    if (IsUnder(stored, lease_id)) stored.set_completed_lease_id(lease_id);
    return Result(outcome.message(), v1::MAIL_RESULT_OK);
  }
  if (message.state() == v1::MESSAGE_STATE_CANCELLED) return Cancelled(message);
  if (!IsUnder(stored, lease_id)) return Result(outcome.message(), v1::MAIL_RESULT_LEASE_LOST);
  stored.set_completed_lease_id(lease_id);
  if (outcome.not_tried()) {
    if (IsOpen(message.state())) Untried(stored);
    return Result(outcome.message(), v1::MAIL_RESULT_OK);
  }
  Keep(stored, event);
  if (event.kind() == v1::DELIVERY_EVENT_KIND_HARD_BOUNCE) {
    ComeBack(stored);
  } else if (outcome.permanent()) {
    FailForGood(stored);
  } else if (IsOpen(message.state())) {
    Fail(stored, now);
  }
  return Result(outcome.message(), v1::MAIL_RESULT_OK);
}

}  // namespace

struct Outbox::Wave {
  Wave(storage::Store& store, const std::string& name) : table(store, name) {}

  MessageTable table;
  // Who leases, one after the other: two at a time would want the same messages.
  std::mutex leasing;
  // What a mail takes, as was last seen. Under `leasing`.
  size_t mean_bytes = kGuessedBytes;
};

Outbox::Outbox(storage::Store& store, MailPolicy& policy, const vault::Vault& vault, calendar::Clock clock, OutboxOptions options)
    : store_(store), policy_(policy), vault_(vault), clock_(std::move(clock)), options_(options), hearing_since_(clock_()) {}

Outbox::~Outbox() = default;

Outbox::Wave& Outbox::Of(const std::string& wave) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Wave>& known = waves_[wave];
  if (known == nullptr) known = std::make_unique<Wave>(store_, wave);
  return *known;
}

absl::StatusOr<size_t> Outbox::Add(const std::string& wave, const std::vector<v1::Message>& messages) {
  size_t added = 0;
  for (size_t begin = 0; begin < messages.size(); begin += kReadAtOnce) {
    std::vector<const v1::Message*> some;
    for (size_t i = begin; i < std::min(begin + kReadAtOnce, messages.size()); ++i) some.push_back(&messages[i]);
    absl::StatusOr<size_t> more = Retry([&](int) { return TryAdd(Of(wave), some); });
    if (!more.ok()) return more.status();
    added += *more;
  }
  return added;
}

absl::StatusOr<size_t> Outbox::TryAdd(Wave& wave, const std::vector<const v1::Message*>& messages) {
  std::vector<std::string> ids;
  ids.reserve(messages.size());
  for (const v1::Message* message : messages) ids.push_back(names::LastId(message->name()));
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
  size_t added = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (change.Find(ids[i]) != nullptr) continue;
    StoredMessage& stored = change.Create(ids[i]);
    *stored.mutable_message() = *messages[i];
    stored.mutable_message()->set_state(v1::MESSAGE_STATE_DUE);
    ++added;
  }
  if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
  return added;
}

absl::Status Outbox::ForEach(const std::string& wave, const std::function<void(const v1::Message&)>& visit) {
  std::string after;
  for (;;) {
    auto documents = store_.List(wave, kMessagePrefix, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      auto stored = storage::Parse<StoredMessage>(document);
      if (!stored.ok()) return stored.status();
      stored->mutable_message()->clear_events();
      visit(stored->message());
    }
    if (documents->size() < kReadAtOnce) return absl::OkStatus();
    after = documents->back().key;
  }
}

absl::StatusOr<v1::Message> Outbox::Get(const std::string& name) {
  auto document = store_.Get(names::WaveOf(name), kMessagePrefix + names::LastId(name));
  if (!document.ok()) return document.status();
  if (!document->has_value()) {
    return status::Error(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND", absl::StrCat("\"", name, "\" does not exist"), {{"name", name}});
  }
  auto stored = storage::Parse<StoredMessage>(**document);
  if (!stored.ok()) return stored.status();
  return std::move(*stored->mutable_message());
}

absl::Status Outbox::Cancel(const std::string& wave, const std::vector<std::string>& names, v1::CancelReason reason) {
  for (size_t begin = 0; begin < names.size(); begin += kReadAtOnce) {
    std::vector<std::string> ids;
    for (size_t i = begin; i < std::min(begin + kReadAtOnce, names.size()); ++i) ids.push_back(names::LastId(names[i]));
    const absl::Status cancelled = Retry([&](int) {
      MessageChange change(Of(wave).table);
      if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
      for (const std::string& id : ids) {
        StoredMessage* stored = change.Find(id);
        if (stored == nullptr) continue;
        const v1::MessageState state = stored->message().state();
        if (state == v1::MESSAGE_STATE_DUE || state == v1::MESSAGE_STATE_LEASED) fieldwork::Cancel(*stored, reason);
      }
      return change.Commit();
    });
    if (!cancelled.ok()) return cancelled;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Outbox::Version(const std::string& wave) { return Of(wave).table.Version(); }

absl::StatusOr<v1::LeaseMailResponse> Outbox::Lease(const v1::LeaseMailRequest& request, const std::string& caller) {
  Wave& wave = Of(request.parent());
  const std::string key = LeaseKey(caller, request.request_id());
  const std::lock_guard leasing(wave.leasing);
  return Retry([&](int lost) { return TryLease(wave, request, key, lost); });
}

absl::StatusOr<v1::LeaseMailResponse> Outbox::TryLease(Wave& wave, const v1::LeaseMailRequest& request, const std::string& key, int lost) {
  const absl::Time now = clock_();
  if (absl::Status ended = EndLeases(wave, now); !ended.ok()) return ended;
  if (absl::Status settled = Settle(wave, now); !settled.ok()) return settled;
  auto held = store_.Get(wave.table.wave(), key);
  if (!held.ok()) return held.status();
  if (held->has_value()) {
    auto lease = storage::Parse<MailLease>(**held);
    if (!lease.ok()) return lease.status();
    return TakeAgain(wave, *lease);
  }
  MailLease terms;
  terms.set_lease_id(NewLeaseId());
  *terms.mutable_expires_at() =
      calendar::ToProto(now + (request.has_lease_duration() ? calendar::FromProto(request.lease_duration()) : kDefaultLeaseDuration));
  const size_t most = request.max_messages() == 0 ? kDefaultLease : std::min(request.max_messages(), kMaxLease);
  for (;;) {
    const size_t wanted = std::min(most, kMaxLeaseBytes / wave.mean_bytes + 1);
    // After a lost race those further on, which another replica has not set eyes on.
    auto found = wave.table.due().Read(store_, wave.table.wave(), now, wanted * static_cast<size_t>(1 + std::min(lost, 3)));
    if (!found.ok()) return found.status();
    if (found->ids.empty()) return v1::LeaseMailResponse();
    const bool from_the_first = found->ids.size() <= wanted;
    const std::vector<std::string> ids(from_the_first ? found->ids.begin() : found->ids.end() - static_cast<ptrdiff_t>(wanted),
                                       found->ids.end());
    size_t looked_at = 0;
    auto response = Take(wave, ids, terms, key, looked_at);
    if (!response.ok()) return response.status();
    if (from_the_first) wave.table.due().Passed(*found, looked_at);
    if (!response->messages().empty()) return response;
  }
}

absl::StatusOr<v1::LeaseMailResponse> Outbox::Take(Wave& wave, const std::vector<std::string>& ids, const MailLease& terms,
                                                   const std::string& key, size_t& looked_at) {
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
  std::vector<v1::Message> messages;
  for (const std::string& id : ids) {
    const StoredMessage* stored = change.Find(id);
    // Gone since the queue was read.
    if (stored == nullptr || stored->message().state() != v1::MESSAGE_STATE_DUE) return LostRace(wave.table.wave());
    messages.push_back(stored->message());
  }
  auto verdicts = policy_.Judge(wave.table.wave(), messages, /*at_beginning=*/false);
  if (!verdicts.ok()) return verdicts.status();
  v1::LeaseMailResponse response;
  MailLease lease = terms;
  const absl::Time expires_at = calendar::FromProto(terms.expires_at());
  size_t bytes = 0;
  for (looked_at = 0; looked_at < ids.size(); ++looked_at) {
    StoredMessage& stored = *change.Find(ids[looked_at]);
    if (const auto& reason = (*verdicts)[looked_at]; reason) {
      fieldwork::Cancel(stored, *reason);
      continue;
    }
    absl::StatusOr<Mail> mail = policy_.Compose(wave.table.wave(), stored.message());
    if (IsForNow(mail.status())) return mail.status();
    if (!mail.ok()) {
      log::Warning("a mail cannot be made", {{"mail", stored.message().name()}, {"reason", status::Reason(mail.status())}});
      Fail(stored, clock_());
      continue;
    }
    auto leased = Leased(stored.message(), std::move(mail->content));
    if (!leased.ok()) return leased.status();
    const size_t size = leased->ByteSizeLong();
    if (bytes > 0 && bytes + size > kMaxLeaseBytes) break;
    bytes += size;
    fieldwork::Lease(stored, terms.lease_id(), expires_at);
    stored.set_address_token(std::move(mail->address_token));
    stored.set_link_hash(Sha256(mail->link));
    lease.add_messages(ids[looked_at]);
    response.mutable_messages()->Add(*std::move(leased));
  }
  if (!response.messages().empty()) {
    wave.mean_bytes = std::max<size_t>(1, bytes / response.messages_size());
    response.set_lease_id(terms.lease_id());
    *response.mutable_expires_at() = terms.expires_at();
    change.Add({.key = key, .value = lease.SerializeAsString(), .expected_version = 0});
    change.Add({.key = TimeKey(wave.table.lease_ends().prefix(), expires_at, key.substr(sizeof(kLeasePrefix) - 1)), .value = ""});
  }
  if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
  return response;
}

absl::StatusOr<v1::LeaseMailResponse> Outbox::TakeAgain(Wave& wave, const MailLease& lease) {
  MessageChange messages(wave.table);
  if (absl::Status loaded = messages.Load({lease.messages().begin(), lease.messages().end()}); !loaded.ok()) return loaded;
  v1::LeaseMailResponse response;
  response.set_lease_id(lease.lease_id());
  *response.mutable_expires_at() = lease.expires_at();
  for (const std::string& id : lease.messages()) {
    const StoredMessage* stored = messages.Find(id);
    if (stored == nullptr || !IsUnder(*stored, lease.lease_id()) || stored->message().state() != v1::MESSAGE_STATE_LEASED) continue;
    absl::StatusOr<Mail> mail = policy_.Compose(wave.table.wave(), stored->message());
    if (IsForNow(mail.status())) return mail.status();
    // It comes back when the lease ends.
    if (!mail.ok()) continue;
    auto leased = Leased(stored->message(), std::move(mail->content));
    if (!leased.ok()) return leased.status();
    response.mutable_messages()->Add(*std::move(leased));
  }
  if (absl::Status durable = messages.Commit(); !durable.ok()) return durable;
  return response;
}

absl::StatusOr<v1::LeasedMessage> Outbox::Leased(const v1::Message& message, v1::MailContent content) const {
  auto token = ReturnTokenOf(vault_, message.name());
  if (!token.ok()) return token.status();
  v1::LeasedMessage leased;
  leased.set_message(message.name());
  leased.set_kind(message.kind());
  leased.set_step(message.step());
  *leased.mutable_content() = std::move(content);
  leased.set_return_token(*std::move(token));
  return leased;
}

absl::StatusOr<v1::BeginMailResponse> Outbox::Begin(const v1::BeginMailRequest& request) {
  return Retry([&](int) { return TryBegin(Of(request.parent()), request); });
}

absl::StatusOr<v1::BeginMailResponse> Outbox::TryBegin(Wave& wave, const v1::BeginMailRequest& request) {
  const absl::Time now = clock_();
  std::vector<std::string> ids;
  for (const std::string& name : request.messages()) ids.push_back(IdOf(name, request.parent()));
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
  const auto may_begin = [&](const StoredMessage& stored) {
    return IsUnder(stored, request.lease_id()) && stored.message().state() == v1::MESSAGE_STATE_LEASED &&
           calendar::FromProto(stored.message().lease_expires_at()) > now;
  };
  std::vector<StoredMessage*> ours;
  for (const std::string& id : std::set<std::string>(ids.begin(), ids.end())) {
    StoredMessage* stored = change.Find(id);
    if (stored != nullptr && may_begin(*stored)) ours.push_back(stored);
  }
  if (absl::Status begun = BeginAll(wave.table.wave(), ours); !begun.ok()) return begun;
  if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
  v1::BeginMailResponse response;
  for (int i = 0; i < request.messages_size(); ++i) {
    const std::string& name = request.messages(i);
    const StoredMessage* stored = change.Find(ids[i]);
    if (stored == nullptr) {
      *response.add_results() = Result(name, v1::MAIL_RESULT_NOT_FOUND);
    } else if (stored->message().state() == v1::MESSAGE_STATE_CANCELLED) {
      *response.add_results() = Cancelled(stored->message());
    } else {
      const bool begun = IsUnder(*stored, request.lease_id()) && stored->message().state() == v1::MESSAGE_STATE_BEGUN &&
                         calendar::FromProto(stored->message().lease_expires_at()) > now;
      *response.add_results() = Result(name, begun ? v1::MAIL_RESULT_OK : v1::MAIL_RESULT_LEASE_LOST);
    }
  }
  return response;
}

absl::Status Outbox::BeginAll(const std::string& wave, const std::vector<StoredMessage*>& messages) {
  if (messages.empty()) return absl::OkStatus();
  std::vector<v1::Message> judged;
  judged.reserve(messages.size());
  for (const StoredMessage* stored : messages) judged.push_back(stored->message());
  const auto verdicts = policy_.Judge(wave, judged, /*at_beginning=*/true);
  if (!verdicts.ok()) return verdicts.status();
  for (size_t i = 0; i < messages.size(); ++i) {
    StoredMessage& stored = *messages[i];
    if (const auto& reason = (*verdicts)[i]; reason) {
      fieldwork::Cancel(stored, *reason);
      continue;
    }
    // The mail was made when it was leased: would it be the same now?
    const absl::StatusOr<Mail> mail = policy_.Compose(wave, stored.message());
    if (IsForNow(mail.status())) return mail.status();
    if (mail.ok() && IsAsLeased(*mail, stored)) {
      stored.mutable_message()->set_state(v1::MESSAGE_STATE_BEGUN);
    } else {
      ReturnToQueue(stored);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::CompleteMailResponse> Outbox::Complete(const v1::CompleteMailRequest& request) {
  return Retry([&](int) { return TryComplete(Of(request.parent()), request); });
}

absl::StatusOr<v1::CompleteMailResponse> Outbox::TryComplete(Wave& wave, const v1::CompleteMailRequest& request) {
  const absl::Time now = clock_();
  std::vector<std::string> ids;
  for (const v1::MailOutcome& outcome : request.outcomes()) ids.push_back(IdOf(outcome.message(), request.parent()));
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
  v1::CompleteMailResponse response;
  std::vector<PendingSuppression> pending;
  for (int i = 0; i < request.outcomes_size(); ++i) {
    const v1::MailOutcome& outcome = request.outcomes(i);
    StoredMessage* stored = change.Find(ids[i]);
    v1::MailItemResult& result = *response.add_results();
    if (const std::string problem = ProblemOf(outcome); !problem.empty()) {
      result = Invalid(outcome.message(), problem);
    } else if (stored == nullptr) {
      result = Result(outcome.message(), v1::MAIL_RESULT_NOT_FOUND);
    } else {
      result = fieldwork::Complete(*stored, outcome, request.lease_id(), now);
      if (result.result() == v1::MAIL_RESULT_OK && outcome.permanent() && BlamesAddress(outcome)) {
        SuppressWith(change, *stored, v1::SUPPRESSION_REASON_HARD_BOUNCE, pending);
      }
    }
  }
  if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
  Suppress(wave, pending).IgnoreError();
  return response;
}

absl::StatusOr<v1::ReportDeliveryEventsResponse> Outbox::Report(const v1::ReportDeliveryEventsRequest& request) {
  return Retry([&](int) { return TryReport(Of(request.parent()), request); });
}

absl::StatusOr<v1::ReportDeliveryEventsResponse> Outbox::TryReport(Wave& wave, const v1::ReportDeliveryEventsRequest& request) {
  const absl::Time now = clock_();
  std::vector<std::string> ids, keys;
  for (const v1::DeliveryEvent& event : request.events()) {
    ids.push_back(IdOf(event.message(), request.parent()));
    keys.push_back(EventKey(event));
  }
  auto known = store_.GetMany(wave.table.wave(), keys);
  if (!known.ok()) return known.status();
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load(ids); !loaded.ok()) return loaded;
  v1::ReportDeliveryEventsResponse response;
  std::vector<PendingSuppression> pending;
  std::set<std::string> seen;
  for (int i = 0; i < request.events_size(); ++i) {
    const v1::DeliveryEvent& event = request.events(i);
    StoredMessage* stored = change.Find(ids[i]);
    v1::MailItemResult& result = *response.add_results();
    std::string problem = ProblemOf(event, request.parent());
    if (problem.empty() && stored != nullptr) problem = ProblemWith(event, *stored);
    if (!problem.empty()) {
      result = Invalid(event.message(), problem);
    } else if (event.kind() == v1::DELIVERY_EVENT_KIND_OPENED && !options_.keep_opens) {
      result = Result(event.message(), v1::MAIL_RESULT_IGNORED);
    } else if (stored == nullptr) {
      result = Result(event.message(), v1::MAIL_RESULT_NOT_FOUND);
    } else if ((*known)[i] || !seen.insert(keys[i]).second) {
      result = Result(event.message(), v1::MAIL_RESULT_REPEATED);
    } else {
      Apply(*stored, Kept(event, stored->message(), now));
      change.Add({.key = keys[i], .value = "", .expected_version = 0});
      SuppressWith(change, *stored, SuppressionAfter(event.kind()), pending);
      result = Result(event.message(), v1::MAIL_RESULT_OK);
    }
  }
  if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
  Suppress(wave, pending).IgnoreError();
  return response;
}

std::string Outbox::ProblemWith(const v1::DeliveryEvent& event, const StoredMessage& stored) const {
  // Never composed: it went nowhere.
  if (stored.address_token().empty()) return "message: nobody has leased it yet";
  const bool is_its = event.return_token().empty() || IsReturnToken(vault_, event.message(), event.return_token());
  return is_its ? "" : "return_token: is not that of the message";
}

absl::StatusOr<bool> Outbox::AreThere(const std::string& wave, const std::string& step, v1::MessageState state) {
  const absl::StatusOr<MessageCounts> counts = Of(wave).table.Counts();
  if (!counts.ok()) return counts.status();
  return std::any_of(counts->begin(), counts->end(), [&](const auto& count) {
    const auto& [its_step, kind, its_state] = count.first;
    return count.second > 0 && (step.empty() || its_step == step) && (state == v1::MESSAGE_STATE_UNSPECIFIED || its_state == state);
  });
}

absl::StatusOr<v1::ListMessagesResponse> Outbox::List(const v1::ListMessagesRequest& request, const paging::Page& page) {
  // Ids begin with that of their invitation.
  const std::string prefix = request.invitation().empty() ? kMessagePrefix : kMessagePrefix + names::LastId(request.invitation()) + ".";
  const bool all = request.state() == v1::MESSAGE_STATE_UNSPECIFIED && request.step().empty();
  v1::ListMessagesResponse response;
  if (!all) {
    const absl::StatusOr<bool> there = AreThere(request.parent(), request.step(), request.state());
    if (!there.ok()) return there.status();
    if (!*there) return response;
  }
  std::string after = page.after;
  size_t bytes = 0;
  for (size_t scanned = 0; scanned < kMaxScanned;) {
    // One more tells that there is a next page.
    const size_t limit = all ? std::min<size_t>(page.size - response.messages_size() + 1, kReadAtOnce) : kReadAtOnce;
    auto documents = store_.List(request.parent(), prefix, after, limit);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      if (response.messages_size() == page.size || bytes >= kMaxPageBytes) {
        response.set_next_page_token(paging::NextPageToken(request, after));
        return response;
      }
      after = document.key;
      ++scanned;
      auto stored = storage::Parse<StoredMessage>(document);
      if (!stored.ok()) return stored.status();
      v1::Message& message = *stored->mutable_message();
      if (request.state() != v1::MESSAGE_STATE_UNSPECIFIED && message.state() != request.state()) continue;
      if (!request.step().empty() && message.step() != request.step()) continue;
      if (!request.invitation().empty() && message.invitation() != request.invitation()) continue;
      bytes += message.ByteSizeLong();
      *response.add_messages() = std::move(message);
    }
    if (documents->size() < limit) return response;
  }
  response.set_next_page_token(paging::NextPageToken(request, after));
  return response;
}

absl::StatusOr<std::vector<v1::StepStatus>> Outbox::Counts(const std::string& wave) {
  absl::StatusOr<MessageCounts> counts = Of(wave).table.Counts();
  if (!counts.ok()) return counts.status();
  std::vector<v1::StepStatus> steps;
  for (const auto& [what, number] : *counts) {
    if (number == 0) continue;
    const auto& [step, kind, state] = what;
    if (steps.empty() || steps.back().step() != step || steps.back().kind() != kind) {
      steps.emplace_back().set_step(step);
      steps.back().set_kind(kind);
    }
    v1::StateCount& count = *steps.back().add_states();
    count.set_state(state);
    count.set_count(number);
  }
  return steps;
}

absl::StatusOr<std::optional<absl::Time>> Outbox::OldestDue(const std::string& wave) {
  MessageTable& table = Of(wave).table;
  const auto found = table.due().Read(store_, wave, clock_(), 1);
  if (!found.ok()) return found.status();
  if (found->ids.empty()) return std::nullopt;
  MessageChange one(table);
  if (absl::Status loaded = one.Load(found->ids); !loaded.ok()) return loaded;
  const StoredMessage* stored = one.Find(found->ids.front());
  // Somebody has taken it in between.
  if (stored == nullptr || stored->message().state() != v1::MESSAGE_STATE_DUE) return std::nullopt;
  return LeasableAt(*stored);
}

absl::Status Outbox::Sweep(const std::string& wave_name) {
  Wave& wave = Of(wave_name);
  {
    const std::lock_guard leasing(wave.leasing);
    const absl::Status swept = Retry([&](int) {
      const absl::Time now = clock_();
      const absl::Status ended = EndLeases(wave, now);
      return ended.ok() ? Settle(wave, now) : ended;
    });
    if (!swept.ok()) return swept;
  }
  auto documents = store_.List(wave_name, kSuppressPrefix, "", kReadAtOnce);
  if (!documents.ok()) return documents.status();
  std::vector<PendingSuppression> pending;
  for (const storage::Document& document : *documents) {
    auto suppression = storage::Parse<PendingSuppression>(document);
    if (!suppression.ok()) return suppression.status();
    pending.push_back(*std::move(suppression));
  }
  return Suppress(wave, pending);
}

absl::Status Outbox::SweepAll() {
  const auto partitions = store_.Partitions("surveys/");
  absl::Status first = partitions.status();
  if (partitions.ok()) {
    for (const std::string& wave : *partitions) first.Update(Sweep(wave));
  }
  // Reports cannot be written down either.
  if (IsForNow(first)) {
    const std::lock_guard lock(mutex_);
    hearing_since_ = clock_();
  }
  return first;
}

absl::Time Outbox::SettlesFrom() {
  const std::lock_guard lock(mutex_);
  return hearing_since_ + options_.settle_time;
}

absl::Status Outbox::EndLeases(Wave& wave, absl::Time now) {
  TimeQueue& ends = wave.table.lease_ends();
  for (;;) {
    auto found = ends.Read(store_, wave.table.wave(), now, kReadAtOnce);
    if (!found.ok()) return found.status();
    if (found->ids.empty()) return absl::OkStatus();
    for (size_t i = 0; i < found->ids.size(); ++i) {
      if (absl::Status ended = EndLease(wave, found->keys[i], found->ids[i]); !ended.ok()) return ended;
    }
    ends.Passed(*found, found->ids.size());
  }
}

absl::Status Outbox::EndLease(Wave& wave, const std::string& end_key, const std::string& request) {
  const std::string key = kLeasePrefix + request;
  auto document = store_.Get(wave.table.wave(), key);
  if (!document.ok()) return document.status();
  // Another replica has ended it.
  if (!document->has_value()) return LostRace(wave.table.wave());
  auto lease = storage::Parse<MailLease>(**document);
  if (!lease.ok()) return lease.status();
  MessageChange change(wave.table);
  if (absl::Status loaded = change.Load({lease->messages().begin(), lease->messages().end()}); !loaded.ok()) return loaded;
  for (const std::string& id : lease->messages()) {
    StoredMessage* stored = change.Find(id);
    if (stored == nullptr || !IsUnder(*stored, lease->lease_id())) continue;
    if (stored->message().state() == v1::MESSAGE_STATE_LEASED) ReturnToQueue(*stored);
    if (stored->message().state() == v1::MESSAGE_STATE_BEGUN) {
      AwaitEvents(*stored, calendar::FromProto(lease->expires_at()) + options_.settle_time);
    }
  }
  change.Add({.key = key, .value = std::nullopt, .expected_version = (*document)->version});
  change.Add({.key = end_key});
  return change.Commit();
}

absl::Status Outbox::Settle(Wave& wave, absl::Time now) {
  if (now < SettlesFrom()) return absl::OkStatus();
  TimeQueue& settling = wave.table.settling();
  for (;;) {
    auto found = settling.Read(store_, wave.table.wave(), now, kReadAtOnce);
    if (!found.ok()) return found.status();
    if (found->ids.empty()) return absl::OkStatus();
    MessageChange change(wave.table);
    if (absl::Status loaded = change.Load(found->ids); !loaded.ok()) return loaded;
    for (const std::string& id : found->ids) {
      StoredMessage* stored = change.Find(id);
      if (stored == nullptr || stored->message().state() != v1::MESSAGE_STATE_UNCERTAIN) continue;
      if (calendar::FromProto(stored->message().lease_expires_at()) <= now) fieldwork::Settle(*stored, now);
    }
    if (absl::Status committed = change.Commit(); !committed.ok()) return committed;
    settling.Passed(*found, found->ids.size());
  }
}

absl::Status Outbox::Suppress(Wave& wave, const std::vector<PendingSuppression>& pending) {
  if (pending.empty()) return absl::OkStatus();
  storage::Batch batch{.partition = wave.table.wave()};
  absl::Status first;
  for (const PendingSuppression& suppression : pending) {
    const absl::Status done = policy_.Suppress(suppression.address_token(), suppression.reason(), suppression.message());
    if (done.ok()) batch.writes.push_back({.key = SuppressionKey(suppression)});
    first.Update(done);
  }
  first.Update(store_.Commit(std::move(batch)).status());
  if (!first.ok()) log::Warning("addresses could not be suppressed for now", {{"reason", status::Reason(first)}});
  return first;
}

}  // namespace peiling::fieldwork
