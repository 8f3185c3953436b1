// Finds out what happened that webhooks are to be told of: by comparing what the wave book knows with what they were told. Every replica
// does so; nobody is told of an event twice by it, and what happened while no process ran is told of
// afterwards; of several extensions meanwhile, the last.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>

#include "absl/status/status.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/waves/wave_book.h"
#include "services/fieldwork/webhooks/webhook_store.h"

namespace peiling::fieldwork {

class WebhookTeller {
 public:
  // Both must outlive it.
  WebhookTeller(const WaveBook& book, WebhookStore& store, calendar::Clock clock) : book_(book), store_(store), clock_(std::move(clock)) {}
  ~WebhookTeller() { Stop(); }

  void Start();
  // May be called twice; wake the book before.
  void Stop();

  // Puts everything on its way that happened since each webhook was made and was not told. To be called by one thread. The store's errors;
  // what was told until then stays told.
  absl::Status Tell();

 private:
  // What a webhook was told of, as far as this process knows; a replica may have told more.
  using Told = std::unordered_map<std::string, std::string>;

  void Run();
  absl::Status TellOf(const std::string& wave, const v1::Webhook& webhook, Told& told);
  absl::Status TellOnce(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what, const std::string& value,
                        Told& told);

  const WaveBook& book_;
  WebhookStore& store_;
  const calendar::Clock clock_;
  // By webhook.
  std::map<std::string, Told> told_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::fieldwork
