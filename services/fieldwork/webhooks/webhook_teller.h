// Finds out what happened that webhooks are to be told of: by comparing what the wave book knows with what they were told. Every replica
// does so; nobody is told of an event twice by it, and what happened while no process ran is told of afterwards, every extension by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/waves/wave_book.h"
#include "services/fieldwork/webhooks/webhook_store.h"

namespace peiling::fieldwork {

// Everything that was changed about the times of a wave, oldest first (intake's ListWaveChanges).
using WaveHistory = std::function<absl::StatusOr<std::vector<intake::v1::WaveChange>>(const std::string& wave)>;

class WebhookTeller {
 public:
  // Both must outlive it.
  WebhookTeller(const WaveBook& book, WebhookStore& store, WaveHistory history, calendar::Clock clock)
      : book_(book), store_(store), history_(std::move(history)), clock_(std::move(clock)) {}
  ~WebhookTeller() { Stop(); }

  void Start();
  // May be called twice; wake the book before.
  void Stop();

  // Puts everything on its way that happened since each webhook was made and was not told. To be called by one thread. The first error of
  // the store and the history; whom it is not about is told all the same.
  absl::Status Tell();

 private:
  // Up to what a webhook was told of, as far as this process knows; a replica may have told more.
  using Told = std::unordered_map<std::string, int64_t>;

  void Run();
  absl::Status TellAllWaves(const v1::Webhook& webhook, Told& told);
  absl::Status TellOf(const std::string& wave, const v1::Webhook& webhook, Told& told);
  absl::Status TellExtensions(const intake::v1::Wave& wave, const v1::Webhook& webhook, Told& told);
  absl::Status TellOnce(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what, int64_t value, Told& told);

  const WaveBook& book_;
  WebhookStore& store_;
  const WaveHistory history_;
  const calendar::Clock clock_;
  // By webhook.
  std::map<std::string, Told> told_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::fieldwork
