// Structured logs: one JSON object a line on stderr, with time (RFC 3339, UTC), level, service, message, where a span is current its
// trace_id and span_id, and fields. Never personal data, never a secret: log names of resources and counts, not contents. Thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace peiling::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// A field's value as text.
using Field = std::pair<std::string_view, std::string>;

// Sets the least level written and the service's name; called once in main. Before that: warnings and errors, service "peiling".
void Init(std::string_view service, Level least);

// Whether lines of this level are written; for fields that cost something to make.
bool Writes(Level level);

void Debug(std::string_view message, std::initializer_list<Field> fields = {});
void Info(std::string_view message, std::initializer_list<Field> fields = {});
void Warning(std::string_view message, std::initializer_list<Field> fields = {});
void Error(std::string_view message, std::initializer_list<Field> fields = {});

}  // namespace peiling::log
