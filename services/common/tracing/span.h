// Spans: what took how long, as part of what. Off until a recorder is set; then nothing here costs more than a look at one variable.
//
// A span of a call under way is current on the thread that handles it (Scope), so that what happens there becomes part of it: calls to
// other services, operations of a store, lines of the log. Work that is done elsewhere takes the context along (Current).
//
// Attributes hold no personal data: names of resources and operations, counts, codes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/tracing/trace_context.h"

namespace peiling::tracing {

enum class Kind { kInternal, kServer, kClient };

// A span that has ended, as a recorder gets it.
struct SpanData {
  TraceContext context;
  // The span that it is a part of; nullopt: it is the first.
  std::optional<TraceContext> parent;
  std::string name;
  Kind kind = Kind::kInternal;
  std::chrono::system_clock::time_point begin;
  std::chrono::system_clock::time_point end;
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, int64_t>> numbers;
  // Other spans that it was done for.
  std::vector<TraceContext> links;
  bool failed = false;
};

// Where spans go. Thread-safe; must not block.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void Record(SpanData span) = 0;
};

// Begins to record spans; null ends it. `ratio`, 0 to 1, is the part of traces recorded of those that begin here; others are recorded when
// they were where they began. The recorder must outlive all spans.
void SetRecorder(Recorder* recorder, double ratio);
// Whether there is a recorder.
bool Enabled();

// The most spans that become part of one, within one process: a stream or an import that goes on for hours stays of bounded size.
constexpr int kMaxChildren = 128;
constexpr size_t kMaxLinks = 128;

// One thing that is done. Ends when destroyed, at the latest. Not thread-safe.
class Span {
 public:
  // Nothing is recorded; all its methods do nothing.
  Span() = default;
  Span(Span&& other) noexcept = default;
  Span& operator=(Span&& other) noexcept;
  ~Span() { End(); }

  // A part of `parent`, or with null the first of a trace. Nothing while tracing is off.
  static Span Start(std::string_view name, Kind kind, const TraceContext* parent);
  // A part of what is current on this thread; nothing when nothing is, or it has its most children.
  static Span StartChild(std::string_view name, Kind kind);

  // How to refer to it; null when it is nothing. Lives as long as the span.
  const TraceContext* context() const;
  void Set(std::string_view key, std::string_view value);
  void Set(std::string_view key, int64_t value);
  // Says that it was done for `other` too.
  void Link(const TraceContext& other);
  void Fail();
  // Hands it to the recorder, when it is sampled.
  void End();

 private:
  friend class Scope;
  friend const TraceContext* Current();
  struct State;
  explicit Span(std::shared_ptr<State> state);
  // Those that are recorded; null for others.
  SpanData* data() const;

  std::shared_ptr<State> state_;
};

// Makes a span current on this thread for as long as the scope lives; the span may end before, on another thread too.
class Scope {
 public:
  explicit Scope(const Span& span);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const std::shared_ptr<Span::State> state_;
  Span::State* const before_;
};

// The context of the span that is current on this thread; null when none is. Valid while it is current.
const TraceContext* Current();

}  // namespace peiling::tracing
