#include "services/common/tracing/trace_context.h"

#include <algorithm>
#include <set>

namespace peiling::tracing {
namespace {

// 00-<32 digits>-<16 digits>-<2 digits>
constexpr size_t kTraceIdAt = 3;
constexpr size_t kSpanIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kLength = 55;
// What must be passed on at least of a state; a longer one may be dropped, and is.
constexpr size_t kMostState = 512;
constexpr size_t kMostMembers = 32;

template <size_t kSize>
std::string ToHex(const std::array<uint8_t, kSize>& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kSize);
  for (const uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

// Value of a lower-case digit; -1: none.
int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <size_t kSize>
bool FromHex(std::string_view text, std::array<uint8_t, kSize>& bytes) {
  for (size_t i = 0; i < kSize; ++i) {
    const int high = Digit(text[2 * i]), low = Digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

template <size_t kSize>
bool AllZero(const std::array<uint8_t, kSize>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// simple-key, or tenant@system.
bool IsStateKey(std::string_view key) {
  const auto made_of_key_characters = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(),
                       [](char c) { return IsLower(c) || IsDigit(c) || c == '_' || c == '-' || c == '*' || c == '/'; });
  };
  const size_t at = key.find('@');
  if (at == std::string_view::npos) return !key.empty() && key.size() <= 256 && IsLower(key.front()) && made_of_key_characters(key);
  const std::string_view tenant = key.substr(0, at), system = key.substr(at + 1);
  return !tenant.empty() && tenant.size() <= 241 && (IsLower(tenant.front()) || IsDigit(tenant.front())) &&
         made_of_key_characters(tenant) && !system.empty() && system.size() <= 14 && IsLower(system.front()) &&
         made_of_key_characters(system);
}

bool IsStateValue(std::string_view value) {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// A list of key=value; members may be empty.
bool IsState(std::string_view state) {
  // A tab may stand around members, but gRPC carries none: its client ends the process.
  if (state.size() > kMostState || state.find('\t') != std::string_view::npos) return false;
  std::set<std::string_view> keys;
  while (true) {
    const size_t comma = state.find(',');
    if (const std::string_view member = Trim(state.substr(0, comma)); !member.empty()) {
      const size_t equals = member.find('=');
      if (equals == std::string_view::npos) return false;
      const std::string_view key = member.substr(0, equals);
      if (!IsStateKey(key) || !IsStateValue(member.substr(equals + 1)) || !keys.insert(key).second) return false;
      if (keys.size() > kMostMembers) return false;
    }
    if (comma == std::string_view::npos) return true;
    state.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string Hex(const std::array<uint8_t, 16>& trace_id) { return ToHex(trace_id); }
std::string Hex(const std::array<uint8_t, 8>& span_id) { return ToHex(span_id); }

std::optional<TraceContext> ParseTraceContext(std::string_view traceparent, std::string_view tracestate) {
  if (traceparent.size() < kLength) return std::nullopt;
  for (const size_t dash : {kTraceIdAt - 1, kSpanIdAt - 1, kFlagsAt - 1}) {
    if (traceparent[dash] != '-') return std::nullopt;
  }
  std::array<uint8_t, 1> version, flags;
  TraceContext context;
  if (!FromHex(traceparent.substr(0, 2), version) || !FromHex(traceparent.substr(kTraceIdAt), context.trace_id) ||
      !FromHex(traceparent.substr(kSpanIdAt), context.span_id) || !FromHex(traceparent.substr(kFlagsAt), flags)) {
    return std::nullopt;
  }
  if (AllZero(context.trace_id) || AllZero(context.span_id) || version[0] == 0xff) return std::nullopt;
  if (traceparent.size() > kLength && (version[0] == 0 || traceparent[kLength] != '-')) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  if (IsState(tracestate)) context.state = std::string(tracestate);
  return context;
}

std::string FormatTraceparent(const TraceContext& context) {
  return "00-" + Hex(context.trace_id) + "-" + Hex(context.span_id) + (context.sampled ? "-01" : "-00");
}

}  // namespace peiling::tracing
