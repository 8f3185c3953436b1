// Sends what is on its way to webhooks, each event until it arrives or is given up.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/webhooks/webhook_store.h"

namespace peiling::fieldwork {

struct SenderOptions {
  // Pauses after the first, second … attempt that failed; after the last of them an event is given up. As Standard Webhooks advises.
  std::vector<absl::Duration> pauses = {absl::Seconds(5), absl::Minutes(5), absl::Minutes(30), absl::Hours(2),
                                        absl::Hours(5),   absl::Hours(10),  absl::Hours(14),   absl::Hours(20)};
  // Events sent at the same time; each holds a thread.
  int threads = 4;
  // How long one that was taken is nobody else's; longer than an attempt takes.
  absl::Duration hold = absl::Minutes(1);
};

class WebhookSender {
 public:
  // Sends one request: HTTP status of the answer, or why none came, for people.
  using Post = std::function<absl::StatusOr<int>(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers,
                                                 const std::string& body)>;

  // The store must outlive it.
  WebhookSender(WebhookStore& store, Post post, calendar::Clock clock, SenderOptions options = {})
      : store_(store), post_(std::move(post)), clock_(std::move(clock)), options_(std::move(options)) {}
  ~WebhookSender() { Stop(); }

  void Start();
  // Waits for attempts under way. May be called twice.
  void Stop();

  // Tries the next delivery whose time has come; false when there is none. The store's errors. Thread-safe.
  absl::StatusOr<bool> SendNext();

 private:
  void Run();

  WebhookStore& store_;
  const Post post_;
  const calendar::Clock clock_;
  const SenderOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace peiling::fieldwork
