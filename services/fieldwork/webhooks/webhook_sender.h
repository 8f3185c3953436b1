// Sends what is on its way to webhooks, each event until it arrives or is given up. One attempt at a time goes to each webhook, and those
// whose receivers failed last may hold no more than half of the threads: however many of them are slow or gone, the others are told.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/webhooks/webhook_store.h"

namespace peiling::fieldwork {

struct SenderOptions {
  // Pauses after the first, second … attempt that failed; after the last of them an event is given up. As Standard Webhooks advises. The
  // first is also how long nothing else is tried at a receiver that failed.
  std::vector<absl::Duration> pauses = {absl::Seconds(5), absl::Minutes(5), absl::Minutes(30), absl::Hours(2),
                                        absl::Hours(5),   absl::Hours(10),  absl::Hours(14),   absl::Hours(20)};
  // Events sent at the same time; each holds a thread. At least 2.
  int threads = 8;
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
  // A webhook that something is under way to, or that failed last; of others nothing is kept.
  struct Receiver {
    bool busy = false;
    bool failing = false;
    absl::Time rests_until = absl::InfinitePast();
  };

  void Run(int number);
  absl::StatusOr<std::optional<DueDelivery>> Take();
  // Whether something may be sent to it now. Wants mutex_.
  bool May(const std::string& webhook, absl::Time now) const;
  void Done(const std::string& webhook, bool arrived);
  // HTTP status of the answer, or why none came.
  absl::StatusOr<int> Attempt(const DueDelivery& due) const;
  absl::Status Note(const DueDelivery& due, const absl::StatusOr<int>& answer);

  WebhookStore& store_;
  const Post post_;
  const calendar::Clock clock_;
  const SenderOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  // By id.
  std::map<std::string, Receiver> receivers_;
  // Of them under way though they failed last.
  int failing_under_way_ = 0;
  // The webhook something was sent to last: each has its turn.
  std::string last_;
  std::vector<std::thread> threads_;
};

}  // namespace peiling::fieldwork
