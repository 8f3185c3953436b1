#include "services/gateway/access_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "services/common/log/json_text.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"

namespace peiling::gateway {
namespace {

constexpr size_t kMostWaiting = 8192;
// A path that no contract knows may be as long as metadata may be.
constexpr size_t kLongestText = 200;
// Lines are worth more together: a write each would cost more than the call.
constexpr auto kCollect = std::chrono::milliseconds(50);

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void Add(Writer& writer, const char* key, std::string_view text) {
  if (text.empty()) return;
  writer.Key(key);
  log::WriteText(writer, text::Shorten(text, kLongestText));
}

std::string Time(std::chrono::system_clock::time_point time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

void AddLine(const AccessRecord& record, rapidjson::StringBuffer& buffer) {
  Writer writer(buffer);
  writer.StartObject();
  writer.Key("time");
  writer.String(Time(record.time).c_str());
  Add(writer, "message", "access");
  Add(writer, "protocol", record.protocol);
  Add(writer, "method", std::string_view(record.method).substr(record.method.starts_with('/') ? 1 : 0));
  Add(writer, "code", record.code);
  Add(writer, "reason", record.reason);
  Add(writer, "subject", record.subject);
  Add(writer, "roles", record.roles);
  Add(writer, "origin", record.origin);
  Add(writer, "request_id", record.request_id);
  Add(writer, "trace_id", record.trace_id);
  writer.SetMaxDecimalPlaces(3);
  writer.Key("milliseconds");
  writer.Double(record.seconds * 1000);
  writer.Key("request_bytes");
  writer.Uint64(record.request_bytes);
  writer.Key("response_bytes");
  writer.Uint64(record.response_bytes);
  writer.EndObject();
  buffer.Put('\n');
}

void AddDropped(uint64_t dropped, rapidjson::StringBuffer& buffer) {
  Writer writer(buffer);
  writer.StartObject();
  writer.Key("time");
  writer.String(Time(std::chrono::system_clock::now()).c_str());
  Add(writer, "message", "access log lines dropped");
  writer.Key("lines");
  writer.Uint64(dropped);
  writer.EndObject();
  buffer.Put('\n');
}

prometheus::Counter& Dropped() {
  return prometheus::BuildCounter()
      .Name("peiling_gateway_access_log_dropped_total")
      .Help("Lines of the access log that were dropped because it was not written fast enough.")
      .Register(server::Metrics())
      .Add({});
}

int OpenFile(const std::string& path) { return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640); }

bool WriteAll(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& path) {
  const int file = path == "off" ? -1 : path == "-" ? STDERR_FILENO : OpenFile(path);
  if (file < 0 && path != "off") {
    return status::Error(absl::StatusCode::kFailedPrecondition, "ACCESS_LOG_UNUSABLE",
                         absl::StrCat("cannot write the access log ", path, ": ", std::strerror(errno)));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(path, file));
}

AccessLog::AccessLog(std::string path, int file) : path_(std::move(path)), on_(file >= 0), file_(file) {
  if (on_) thread_ = std::thread([this] { Run(); });
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (file_ > STDERR_FILENO) close(file_);
}

void AccessLog::Write(AccessRecord record) {
  if (!on_) return;
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMostWaiting) {
    static prometheus::Counter& counter = Dropped();
    counter.Increment();
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(record));
  if (waiting_.size() == 1) wake_.notify_one();
}

void AccessLog::Run() {
  std::vector<AccessRecord> records;
  for (bool stopping = false; !stopping;) {
    uint64_t dropped = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      wake_.wait_for(lock, kCollect, [this] { return stopping_ || waiting_.size() >= kMostWaiting / 2; });
      records.swap(waiting_);
      dropped = std::exchange(dropped_, 0);
      stopping = stopping_;
    }
    ReopenIfMoved();
    rapidjson::StringBuffer buffer;
    for (const AccessRecord& record : records) AddLine(record, buffer);
    if (dropped > 0) AddDropped(dropped, buffer);
    if (!WriteAll(file_, {buffer.GetString(), buffer.GetSize()})) {
      log::Error("access log cannot be written", {{"path", path_}, {"error", std::strerror(errno)}});
    }
    records.clear();
  }
}

void AccessLog::ReopenIfMoved() {
  if (file_ <= STDERR_FILENO) return;
  struct stat ours {};
  struct stat named {};
  if (fstat(file_, &ours) == 0 && stat(path_.c_str(), &named) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) return;
  const int opened = OpenFile(path_);
  if (opened < 0) return;
  close(file_);
  file_ = opened;
}

}  // namespace peiling::gateway
