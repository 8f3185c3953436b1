// The wave book as it is held in memory: what followers of feeds tell it, it tells those who ask.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// Thread-safe. Waves are known from Open on; what is told of others is passed over.
class LiveBook final : public WaveBook {
 public:
  // A feed of a wave: one of its submission feeds, by partition from 0, or this one.
  static constexpr int kRecordFeed = -1;

  // --- For those who keep it up to date.
  // A new wave, or one whose frame or feeds are others than before: it is loading, and nothing is known of its responses.
  void Open(const intake::v1::Wave& wave);
  // A wave as it now is, with the frame and the feeds it had.
  void SetWave(const intake::v1::Wave& wave);
  void SetFrame(const std::string& wave, std::shared_ptr<const Frame> frame);
  // Entries of a feed, in its order.
  void TakeIn(const std::string& wave, const std::vector<intake::v1::Response>& responses);
  void TakeIn(const std::string& wave, const std::vector<dedup::v1::RecordEvent>& events);
  // All that stood in a feed has been taken in.
  void SetCaughtUp(const std::string& wave, int feed);
  // A feed is not the one it was, and will be read from its beginning: what came from it is forgotten, and the wave is loading.
  void StartOver(const std::string& wave, int feed);
  // All waves there are have been opened.
  void SetListed();
  // From now on nobody waits for a change any more.
  void Close();

  // Empty once all waves there are have been heard of: links work from then on, whatever becomes of their feeds.
  std::string Unready() const;
  // Empty once all of them have been caught up with, too; else what has not.
  std::string Behind() const;

  // --- For those who read.
  std::vector<std::string> Waves() const override;
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Details(const std::string& wave) const override;
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Get(const std::string& wave) const override;
  std::optional<ResponseStand> Response(const std::string& wave, const std::string& response_id) const override;
  void ForEachResponse(const std::string& wave,
                       const std::function<void(const std::string& response_id, const ResponseStand&)>& visit) const override;
  bool HasSubmittedRecord(const std::string& wave, const std::string& municipality) const override;
  uint64_t Version(const std::string& wave) const override;
  uint64_t AwaitChange(uint64_t since, absl::Duration timeout) const override;

 private:
  struct Page {
    std::shared_ptr<const WaveDetails> details;
    // Feeds that are not caught up with.
    std::set<int> behind;
    absl::flat_hash_map<std::string, ResponseStand> responses;
    // Municipalities of responses as dedup understood them.
    absl::flat_hash_map<std::string, std::vector<std::string>> decided;
    // By municipality, whether it is from a submitted response.
    absl::flat_hash_map<std::string, bool> records;
    uint64_t version = 0;

    bool loading() const { return details->frame == nullptr || !behind.empty(); }
    ResponseStand StandOf(const std::string& id, const ResponseStand& stand) const;
  };

  // Null when it is not known. With mutex_ held, as all below.
  Page* Find(const std::string& wave);
  const Page* Find(const std::string& wave) const;
  // Why there is no page of a wave.
  absl::Status NoPage(const std::string& wave) const;
  void Changed(Page& page);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  uint64_t changes_ = 0;
  bool closed_ = false;
  bool listed_ = false;
  std::map<std::string, Page> pages_;
};

}  // namespace peiling::fieldwork
