#include "services/ctl/commands/doctor_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/ctl/client/metrics_page.h"

namespace peiling::ctl {
namespace {

using SystemClock = std::chrono::system_clock;

// Events that a follower may be behind before it is worth a word.
constexpr double kNotableLag = 1000;
// Clocks apart so much that times of responses cannot be compared.
constexpr double kNotableSkew = 2;

struct Process {
  std::string address;
  MetricsPage page;
  // This machine's clock while the page was made.
  double asked_at = 0;
  double took = 0;
};

double Seconds(SystemClock::time_point time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

const std::vector<Sample>& Of(const Process& process, const std::string& name) {
  static const auto& none = *new std::vector<Sample>();
  const auto found = process.page.find(name);
  return found == process.page.end() ? none : found->second;
}

std::string Label(const Sample& sample, const std::string& name) {
  const auto found = sample.labels.find(name);
  return found == sample.labels.end() ? "" : found->second;
}

void CheckStates(const Process& process, Findings& findings) {
  std::vector<std::string> ready;
  for (const Sample& sample : Of(process, "peiling_ready")) {
    const std::string server = Label(sample, "server");
    if (sample.value == 1) {
      ready.push_back(server);
    } else {
      findings.Wrong(process.address, absl::StrCat(server, " is not ready"), "the last line \"not ready\" of its log has the reason");
    }
  }
  if (!ready.empty()) findings.Well(process.address, absl::StrCat("ready: ", absl::StrJoin(ready, ", ")));
  for (const Sample& sample : Of(process, "peiling_store_up")) {
    if (sample.value == 1) continue;
    findings.Wrong(process.address, absl::StrCat("the store of ", Label(sample, "store"), " cannot be read or written"),
                   "look at the store itself: doctor --store ADDRESS");
  }
  for (const Sample& sample : Of(process, "peiling_dedup_poisoned_events")) {
    if (sample.value == 0) continue;
    findings.Warn(process.address, absl::StrFormat("%.0f events of %s were set aside", sample.value, Label(sample, "wave")),
                  "deploy/observability/runbooks/feed-lag.md");
  }
}

void CheckClock(const Process& process, Findings& findings) {
  for (const Sample& sample : Of(process, "peiling_clock_seconds")) {
    // It was read at some time while we waited.
    const double early = process.asked_at - sample.value, late = sample.value - process.asked_at - process.took;
    const double apart = std::max({early, late, 0.0});
    if (apart < kNotableSkew) continue;
    findings.Warn(process.address, absl::StrFormat("its clock is %.1f s %s this machine's", apart, early > late ? "behind" : "ahead of"),
                  "let all machines take the time from one source (NTP)");
  }
}

void CheckVersions(const std::vector<Process>& processes, Findings& findings) {
  std::set<std::string> versions;
  for (const Process& process : processes) {
    for (const Sample& sample : Of(process, "peiling_build_info")) {
      versions.insert(absl::StrCat(Label(sample, "version"), " (", Label(sample, "commit"), ")"));
    }
  }
  if (versions.size() == 1) findings.Well("versions", absl::StrCat("all run ", *versions.begin()));
  if (versions.size() > 1) {
    findings.Warn("versions", absl::StrCat("several run side by side: ", absl::StrJoin(versions, ", ")),
                  "right while an upgrade is under way; else see k8s/runbooks/upgrade.md");
  }
}

// As the rules of deploy/observability count it.
void CheckFeeds(const std::vector<Process>& processes, Findings& findings) {
  using Feed = std::tuple<std::string, std::string, std::string>;
  std::map<Feed, double> ends;
  std::map<std::pair<std::string, Feed>, double> positions;
  for (const Process& process : processes) {
    const auto feed = [](const Sample& sample) { return Feed(Label(sample, "feed"), Label(sample, "wave"), Label(sample, "partition")); };
    for (const Sample& sample : Of(process, "peiling_feed_end")) {
      double& end = ends[feed(sample)];
      end = std::max(end, sample.value);
    }
    for (const Sample& sample : Of(process, "peiling_feed_position")) {
      const std::string follower = Label(sample, "follower");
      const auto [known, added] = positions.try_emplace({follower, feed(sample)}, sample.value);
      // Replicas of dedup share the work, those of analytics each do all of it.
      if (!added) known->second = follower == "dedup" ? std::max(known->second, sample.value) : std::min(known->second, sample.value);
    }
  }
  size_t near = 0;
  for (const auto& [key, position] : positions) {
    const auto end = ends.find(key.second);
    if (end == ends.end() || end->second - position <= kNotableLag) {
      ++near;
      continue;
    }
    const auto& [feed, wave, partition] = key.second;
    findings.Warn(absl::StrCat("feed ", wave),
                  absl::StrFormat("%s is %.0f events behind in the %s of partition %s", key.first, end->second - position, feed, partition),
                  "deploy/observability/runbooks/feed-lag.md");
  }
  if (near > 0) findings.Well("feeds", absl::StrCat(near, " followers are where their feeds end, or nearly"));
}

}  // namespace

void CheckMetrics(const std::vector<std::string>& addresses, std::chrono::milliseconds timeout, Findings& findings) {
  std::vector<Process> processes;
  for (const std::string& address : addresses) {
    const auto begin = SystemClock::now();
    auto page = FetchMetrics(address, timeout);
    if (!page.ok()) {
      findings.Wrong(address, std::string(page.status().message()), "is the process running, with --metrics-listen?");
      continue;
    }
    const double took = Seconds(SystemClock::now()) - Seconds(begin);
    processes.push_back({address, *std::move(page), Seconds(begin), took});
    CheckStates(processes.back(), findings);
    CheckClock(processes.back(), findings);
  }
  CheckVersions(processes, findings);
  CheckFeeds(processes, findings);
}

}  // namespace peiling::ctl
