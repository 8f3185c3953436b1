#include "services/common/log/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "services/common/log/json_text.h"
#include "services/common/tracing/span.h"

namespace peiling::log {
namespace {

std::atomic<Level> least_level{Level::kWarning};
std::mutex mutex;  // Guards the service's name and keeps lines whole.

std::string& ServiceName() {
  static auto* name = new std::string("peiling");  // Never destroyed: threads may log until the very end.
  return *name;
}

const char* Name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void Write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!Writes(level)) return;
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  const std::lock_guard lock(mutex);
  writer.StartObject();
  writer.Key("time");
  writer.String(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone()).c_str());
  writer.Key("level");
  writer.String(Name(level));
  writer.Key("service");
  WriteText(writer, ServiceName());
  writer.Key("message");
  WriteText(writer, message);
  if (const auto* context = tracing::Current()) {
    writer.Key("trace_id");
    writer.String(tracing::Hex(context->trace_id).c_str());
    writer.Key("span_id");
    writer.String(tracing::Hex(context->span_id).c_str());
  }
  for (const auto& [key, value] : fields) {
    WriteText(writer, key);
    WriteText(writer, value);
  }
  writer.EndObject();
  buffer.Put('\n');
  std::fwrite(buffer.GetString(), 1, buffer.GetSize(), stderr);
}

}  // namespace

void Init(std::string_view service, Level least) {
  const std::lock_guard lock(mutex);
  ServiceName() = std::string(service);
  least_level = least;
}

bool Writes(Level level) { return level >= least_level.load(std::memory_order_relaxed); }

void Debug(std::string_view message, std::initializer_list<Field> fields) { Write(Level::kDebug, message, fields); }
void Info(std::string_view message, std::initializer_list<Field> fields) { Write(Level::kInfo, message, fields); }
void Warning(std::string_view message, std::initializer_list<Field> fields) { Write(Level::kWarning, message, fields); }
void Error(std::string_view message, std::initializer_list<Field> fields) { Write(Level::kError, message, fields); }

}  // namespace peiling::log
