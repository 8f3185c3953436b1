#include "services/common/tracing/span.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>

namespace peiling::tracing {
namespace {

std::atomic<Recorder*> recorder{nullptr};
// A trace is recorded when the lower 63 bits of its id are below this.
std::atomic<uint64_t> sampled_below{0};
constexpr double kAll = 9223372036854775808.0;  // 2^63

uint64_t Random() {
  thread_local std::mt19937_64 random(std::random_device{}() | uint64_t{std::random_device{}()} << 32);
  uint64_t number = 0;
  while (number == 0) number = random();
  return number;
}

template <size_t kSize>
void Fill(std::array<uint8_t, kSize>& bytes) {
  for (size_t i = 0; i < kSize; i += sizeof(uint64_t)) {
    const uint64_t number = Random();
    std::memcpy(bytes.data() + i, &number, sizeof(number));
  }
}

// As TraceIdRatioBased of OpenTelemetry has it: from the id alone, so that all who see it decide alike.
bool Samples(const std::array<uint8_t, 16>& trace_id) {
  uint64_t number = 0;
  for (size_t i = 8; i < 16; ++i) number = number << 8 | trace_id[i];
  return (number & (~uint64_t{0} >> 1)) < sampled_below.load(std::memory_order_relaxed);
}

TraceContext NewContext(const TraceContext* parent) {
  TraceContext context;
  Fill(context.span_id);
  if (parent == nullptr) {
    Fill(context.trace_id);
    context.sampled = Samples(context.trace_id);
  } else {
    context.trace_id = parent->trace_id;
    context.sampled = parent->sampled;
    context.state = parent->state;
  }
  return context;
}

}  // namespace

struct Span::State {
  explicit State(TraceContext made) : context(std::move(made)) {}

  const TraceContext context;
  // Of sampled ones alone; its own context stands above.
  SpanData data;
  std::chrono::steady_clock::time_point begin;
  std::atomic<int> children{0};

  static thread_local State* current;
};

thread_local Span::State* Span::State::current = nullptr;

void SetRecorder(Recorder* now, double ratio) {
  sampled_below = ratio >= 1 ? uint64_t{1} << 63 : static_cast<uint64_t>(std::max(0.0, ratio) * kAll);
  recorder = now;
}

bool Enabled() { return recorder.load(std::memory_order_relaxed) != nullptr; }

Span::Span(std::shared_ptr<State> state) : state_(std::move(state)) {}

Span& Span::operator=(Span&& other) noexcept {
  if (this == &other) return *this;
  End();
  state_ = std::move(other.state_);
  return *this;
}

Span Span::Start(std::string_view name, Kind kind, const TraceContext* parent) {
  if (!Enabled()) return Span();
  auto state = std::make_shared<State>(NewContext(parent));
  if (state->context.sampled) {
    if (parent != nullptr) state->data.parent = *parent;
    state->data.name = std::string(name);
    state->data.kind = kind;
    state->data.begin = std::chrono::system_clock::now();
    state->begin = std::chrono::steady_clock::now();
  }
  return Span(std::move(state));
}

Span Span::StartChild(std::string_view name, Kind kind) {
  State* const parent = State::current;
  if (parent == nullptr || !parent->context.sampled) return Span();
  if (parent->children.fetch_add(1, std::memory_order_relaxed) >= kMaxChildren) return Span();
  return Start(name, kind, &parent->context);
}

const TraceContext* Span::context() const { return state_ == nullptr ? nullptr : &state_->context; }

SpanData* Span::data() const { return state_ == nullptr || !state_->context.sampled ? nullptr : &state_->data; }

void Span::Set(std::string_view key, std::string_view value) {
  if (auto* span = data()) span->texts.emplace_back(key, value);
}

void Span::Set(std::string_view key, int64_t value) {
  if (auto* span = data()) span->numbers.emplace_back(key, value);
}

void Span::Link(const TraceContext& other) {
  if (auto* span = data(); span != nullptr && span->links.size() < kMaxLinks) span->links.push_back(other);
}

void Span::Fail() {
  if (auto* span = data()) span->failed = true;
}

void Span::End() {
  if (auto* span = data()) {
    span->context = state_->context;
    // By the clock that does not jump.
    const auto taken = std::chrono::steady_clock::now() - state_->begin;
    span->end = span->begin + std::chrono::duration_cast<std::chrono::system_clock::duration>(taken);
    if (auto* to = recorder.load(std::memory_order_acquire)) to->Record(std::move(*span));
  }
  state_.reset();
}

Scope::Scope(const Span& span) : state_(span.state_), before_(Span::State::current) {
  if (state_ != nullptr) Span::State::current = state_.get();
}

Scope::~Scope() { Span::State::current = before_; }

const TraceContext* Current() { return Span::State::current == nullptr ? nullptr : &Span::State::current->context; }

}  // namespace peiling::tracing
