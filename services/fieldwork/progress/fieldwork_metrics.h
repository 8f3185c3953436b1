// How the fieldwork stands, for operators: peiling_mail_messages, peiling_mail_oldest_due_seconds, peiling_invitations and peiling_drafts
// of every wave. Every replica tells the same.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/progress/wave_facts.h"

namespace peiling::fieldwork {

class FieldworkMetrics {
 public:
  // The book of the sources must outlive it.
  FieldworkMetrics(FactSources sources, calendar::Clock clock, absl::Duration interval = absl::Seconds(30))
      : sources_(std::move(sources)), clock_(std::move(clock)), interval_(interval) {}
  ~FieldworkMetrics() { Stop(); }

  // Measures now and again, in a thread of its own.
  void Start();
  // Waits for the measuring under way. May be called twice.
  void Stop();

  // A wave that cannot be read keeps its numbers. To be called by one thread.
  void Measure();

 private:
  void Run();
  void Measure(const std::string& wave);

  const FactSources sources_;
  const calendar::Clock clock_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::fieldwork
