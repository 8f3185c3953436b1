// Applies the rules of plan_mail.h to every wave, again and again. Every replica does: what one plans the others find.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/fieldwork/mail/outbox.h"
#include "services/fieldwork/mail/plan_sources.h"

namespace peiling::fieldwork {

class Planner {
 public:
  // What it points to must outlive it. `interval`: so often at least waves are looked at; more often when the book changes.
  Planner(PlanSources sources, Outbox& outbox, absl::Duration interval = absl::Seconds(2))
      : sources_(std::move(sources)), outbox_(outbox), interval_(interval) {}
  ~Planner() { Stop(); }

  // Plans from now on, in a thread of its own.
  void Start();
  // Waits until it has stopped, at most the interval and a run. Once more does nothing.
  void Stop();

  // One run for one wave: plans what is due, cancels what may not go any more, and escalates. An error of one invitation keeps no other
  // from being planned; the first one is told. NOT_FOUND/WAVE_NOT_FOUND.
  absl::Status PlanWave(const std::string& wave);

 private:
  void Run();
  // Waits; false once it is to stop.
  bool Pause(absl::Duration time);
  absl::Status PlanInvitation(const WaveDetails& wave, v1::Invitation invitation, std::vector<v1::Message> messages);
  // Once for each error, and when it is over.
  void Tell(const std::string& wave, const absl::Status& status);

  const PlanSources sources_;
  Outbox& outbox_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
  // The last error of each wave; only the thread's.
  std::map<std::string, std::string> errors_;
};

}  // namespace peiling::fieldwork
