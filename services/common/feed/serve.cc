#include "services/common/feed/serve.h"

#include "services/common/status/errors.h"

namespace peiling::feed {
namespace {

// What is read ahead of a slow client.
constexpr size_t kReadAhead = 64;
constexpr std::chrono::milliseconds kWait(1000);

absl::Status Gone() { return status::Error(absl::StatusCode::kCancelled, "CLIENT_GONE", "the client ended the watch"); }

// Sends the next events after `sent` and moves it along.
absl::Status SendSome(storage::Store& store, const std::string& partition, const Sink& sink, uint64_t& sent) {
  auto events = store.ReadFeed(partition, sent, kReadAhead);
  if (!events.ok()) return events.status();
  if (events->empty() || events->front().sequence != sent + 1) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "event " + std::to_string(sent + 1) + " of a feed is missing");
  }
  sink.reaches(events->back().sequence);
  for (const storage::FeedEvent& event : *events) {
    if (sink.cancelled() || !sink.event(event)) return Gone();
    sent = event.sequence;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Serve(storage::Store& store, const std::string& partition, uint64_t after_sequence, const Sink& sink) {
  auto last = store.LastSequence(partition);
  if (!last.ok()) return last.status();
  if (after_sequence > *last) {
    return status::Error(absl::StatusCode::kOutOfRange, "SEQUENCE_IN_FUTURE",
                         "after_sequence is " + std::to_string(after_sequence) + ", the feed ends at " + std::to_string(*last));
  }
  sink.reaches(*last);
  uint64_t sent = after_sequence;
  bool caught_up = false;
  while (true) {
    if (!caught_up && sent >= *last) {
      if (!sink.caught_up(sent)) return Gone();
      caught_up = true;
    }
    if (sink.cancelled()) return Gone();
    auto more = store.WaitFeed(partition, sent, kWait);
    if (!more.ok()) return more.status();
    if (!*more) continue;
    if (absl::Status status = SendSome(store, partition, sink, sent); !status.ok()) return status;
  }
}

}  // namespace peiling::feed
