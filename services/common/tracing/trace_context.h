// Where in a trace something happens, and how that travels with a call: W3C Trace Context (https://www.w3.org/TR/trace-context/).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peiling::tracing {

// Metadata keys of a call.
constexpr char kTraceparent[] = "traceparent";
constexpr char kTracestate[] = "tracestate";

// One span of one trace, as others refer to it.
struct TraceContext {
  // Neither is all zeros.
  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> span_id{};
  // Whether the trace is recorded.
  bool sampled = false;
  // The tracestate header: facts of other vendors, passed on as they are.
  std::string state;
};

// In lower-case hexadecimal digits.
std::string Hex(const std::array<uint8_t, 16>& trace_id);
std::string Hex(const std::array<uint8_t, 8>& span_id);

// Reads the two headers as strictly as the specification wants it; nullopt when `traceparent` is not valid, without a state when only
// `tracestate` is not. Later versions are read as far as version 00 goes.
std::optional<TraceContext> ParseTraceContext(std::string_view traceparent, std::string_view tracestate);

// The traceparent header, version 00.
std::string FormatTraceparent(const TraceContext& context);

}  // namespace peiling::tracing
