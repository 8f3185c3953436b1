// Errors as people at a command line need them: what is wrong, where, and what to do next.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace peiling::ctl {

// What the program ends with; in `peilingctl --help` and README.md.
enum class ExitCode : int {
  kOk = 0,
  // The answer is no: figures differ, a file has errors, a text is not understood.
  kNo = 1,
  // The command line is wrong.
  kUsage = 2,
  // There is no such thing.
  kNotFound = 3,
  // What was given is not right: a file, a value, a municipality.
  kInvalidInput = 4,
  // The server could not answer: not there, too slow, failed.
  kUnavailable = 5,
  // It contradicts what is there already.
  kConflict = 6,
  // Not let in: who calls is not known, or may not do this.
  kRefused = 7,
  // Ctrl-C.
  kInterrupted = 130,
};

ExitCode ExitCodeOf(const absl::Status& error);

// INVALID_ARGUMENT/USAGE: exit code kUsage.
absl::Status UsageError(std::string_view message);

// Lines for people: the message, every wrong field on a line of its own, the reason, and a hint. `server` is the address that was called.
std::string DescribeError(const absl::Status& error, const std::string& server);

// The same for programs, one JSON object on one line.
std::string ErrorAsJson(const absl::Status& error, const std::string& server);

}  // namespace peiling::ctl
