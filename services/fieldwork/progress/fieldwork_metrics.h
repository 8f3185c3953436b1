// How the fieldwork stands, for operators: peiling_mail_messages, peiling_mail_oldest_due_seconds, peiling_invitations and peiling_drafts
// of every wave. Every replica tells the same.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// Where the numbers of a wave are read from: none of it reads every message.
struct MetricSources {
  const WaveBook& book;
  // Outbox::Counts, Outbox::OldestDue.
  std::function<absl::StatusOr<std::vector<v1::StepStatus>>(const std::string& wave)> count_messages;
  std::function<absl::StatusOr<std::optional<absl::Time>>(const std::string& wave)> oldest_due;
  // Grows with every change of an invitation.
  std::function<absl::StatusOr<uint64_t>(const std::string& wave)> invitations_version;
  std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit)> for_each_invitation;
};

class FieldworkMetrics {
 public:
  // The book of the sources must outlive it.
  FieldworkMetrics(MetricSources sources, calendar::Clock clock, absl::Duration interval = absl::Seconds(30))
      : sources_(std::move(sources)), clock_(std::move(clock)), interval_(interval) {}
  ~FieldworkMetrics() { Stop(); }

  // Measures now and again, in a thread of its own.
  void Start();
  // Waits for the measuring under way. May be called twice.
  void Stop();

  // A wave that cannot be read keeps its numbers. To be called by one thread.
  void Measure();

 private:
  // Invitations by state, as they were when a wave had this version.
  struct Invitations {
    uint64_t version = 0;
    std::array<int64_t, v1::InvitationState_ARRAYSIZE> counts{};
  };

  void Run();
  absl::Status Measure(const std::string& wave);
  absl::Status MeasureInvitations(const std::string& wave);

  const MetricSources sources_;
  const calendar::Clock clock_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
  // By wave; only of the thread that measures.
  std::map<std::string, Invitations> invitations_;
};

}  // namespace peiling::fieldwork
