// Applies the rules of plan_mail.h to every wave, again and again. Every replica does: what one plans the others find.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/fieldwork/mail/outbox.h"
#include "services/fieldwork/mail/plan_sources.h"

namespace peiling::fieldwork {

class Planner {
 public:
  // What it points to must outlive it. `interval`: so often it is looked whether anything changed or its time has come.
  Planner(PlanSources sources, Outbox& outbox, absl::Duration interval = absl::Seconds(2))
      : sources_(std::move(sources)), outbox_(outbox), interval_(interval) {}
  ~Planner() { Stop(); }

  // Plans from now on, in a thread of its own.
  void Start();
  // Waits until it has stopped, at most for the run of a wave. Once more does nothing.
  void Stop();

  // One run for one wave: plans what is due, cancels what may not go any more, and escalates. Gives the time at which that is to be done
  // again though nothing changes. An error of one invitation keeps no other from being planned; the first one is told.
  // NOT_FOUND/WAVE_NOT_FOUND.
  absl::StatusOr<absl::Time> PlanWave(const std::string& wave);

 private:
  // What is known of a wave from the last run.
  struct Known {
    // Times and plan.
    std::shared_ptr<const WaveDetails> wave;
    // Of everything else mail depends on, but for responses.
    std::vector<uint64_t> versions;
    // Of the book, with responses.
    uint64_t book = 0;
    absl::Time planned = absl::InfinitePast();
    absl::Time next = absl::InfinitePast();
    // Empty: there was none.
    std::string error;
  };

  void Run();
  // Waits; false once it is to stop.
  bool Pause(absl::Duration time);
  // A run, when there is reason for one.
  absl::Status PlanIfChanged(const std::string& wave, Known& known);
  absl::StatusOr<std::vector<uint64_t>> Versions(const std::string& wave);
  absl::Status PlanInvitation(const WaveDetails& wave, v1::Invitation invitation, const std::vector<v1::Message>& messages,
                              absl::Time& next);
  // Once for each error, and when it is over.
  static void Tell(const std::string& wave, const absl::Status& status, Known& known);

  const PlanSources sources_;
  Outbox& outbox_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
  // Of each wave; only the thread's.
  std::map<std::string, Known> known_;
};

}  // namespace peiling::fieldwork
