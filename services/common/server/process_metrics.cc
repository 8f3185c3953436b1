#include "services/common/server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "prometheus/metric_family.h"

namespace peiling::server {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Family(const char* name, const char* help, MetricType type, double value) {
  MetricFamily family{.name = name, .help = help, .type = type, .metric = std::vector<prometheus::ClientMetric>(1)};
  (type == MetricType::Counter ? family.metric[0].counter.value : family.metric[0].gauge.value) = value;
  return family;
}

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// When the machine started, in seconds of the clock; 0: unknown.
double BootTime() {
  std::istringstream lines(ReadAll("/proc/stat"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

// Fields of /proc/self/stat (proc(5)) from the third on: the second, the name, may hold anything up to the last parenthesis.
std::vector<double> Stat() {
  const std::string text = ReadAll("/proc/self/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || text.size() < name_end + 4) return {};
  std::istringstream fields(text.substr(name_end + 4));
  std::vector<double> numbers = {0};
  for (double number = 0; fields >> number;) numbers.push_back(number);
  return numbers;
}

class Process final : public prometheus::Collectable {
 public:
  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> families;
    AddStat(families);
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    families.push_back(
        Family("peiling_clock_seconds", "The machine's clock, in seconds since unix epoch.", MetricType::Gauge, now.count()));
    std::error_code error;
    const auto open = std::filesystem::directory_iterator("/proc/self/fd", error);
    if (!error) {
      families.push_back(Family("process_open_fds", "Number of open file descriptors.", MetricType::Gauge,
                                static_cast<double>(std::distance(begin(open), end(open)))));
    }
    if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0) {
      families.push_back(
          Family("process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge, static_cast<double>(limit.rlim_cur)));
    }
    return families;
  }

 private:
  // Positions of the fields in Stat().
  enum Field { kUserTime = 11, kSystemTime = 12, kStartTime = 19, kVirtualBytes = 20, kResidentPages = 21 };

  void AddStat(std::vector<MetricFamily>& families) const {
    const std::vector<double> stat = Stat();
    if (stat.size() <= kResidentPages) return;
    families.push_back(Family("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", MetricType::Counter,
                              (stat[kUserTime] + stat[kSystemTime]) / ticks_));
    families.push_back(Family("process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::Gauge, stat[kVirtualBytes]));
    families.push_back(
        Family("process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::Gauge, stat[kResidentPages] * page_));
    if (boot_ == 0) return;
    families.push_back(Family("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", MetricType::Gauge,
                              boot_ + stat[kStartTime] / ticks_));
  }

  const double ticks_ = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page_ = static_cast<double>(sysconf(_SC_PAGESIZE));
  const double boot_ = BootTime();
};

}  // namespace

std::shared_ptr<prometheus::Collectable> ProcessMetrics() {
  static const auto* process = new std::shared_ptr<prometheus::Collectable>(std::make_shared<Process>());
  return *process;
}

}  // namespace peiling::server
