// The access log: one line of JSON for every call that came to the door.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::gateway {

// A call that has ended. Holds no secrets and no personal data.
struct AccessRecord {
  // When it ended.
  std::chrono::system_clock::time_point time;
  std::string protocol;
  // As called, unknown ones too; lines have it without the '/' before it, as the audit log and other logs do.
  std::string method;
  const char* code = "";
  std::string reason;
  std::string subject;
  // Those that let the caller in, separated by commas.
  std::string roles;
  std::string origin;
  std::string request_id;
  std::string trace_id;
  double seconds = 0;
  // Of messages, as serialised.
  size_t request_bytes = 0;
  size_t response_bytes = 0;
};

// Lines are made and written by a thread of its own; when it does not keep up, lines are dropped, and a line says how many. Counts
// peiling_gateway_access_log_dropped_total. Thread-safe.
class AccessLog {
 public:
  // `path`: "-" for stderr, "off" for none. A file is appended to, and opened anew when it was renamed or removed (logrotate).
  // FAILED_PRECONDITION/ACCESS_LOG_UNUSABLE when it cannot be written.
  static absl::StatusOr<std::unique_ptr<AccessLog>> Open(const std::string& path);
  // Writes what is left.
  ~AccessLog();

  // Whether anybody wants records.
  bool on() const { return on_; }
  // Never blocks.
  void Write(AccessRecord record);

 private:
  AccessLog(std::string path, int file);
  void Run();
  void ReopenIfMoved();

  const std::string path_;
  const bool on_;
  // The writing thread's.
  int file_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<AccessRecord> waiting_;
  uint64_t dropped_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::gateway
