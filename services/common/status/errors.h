// Errors as users see them (AIP-193): a code, a message, one google.rpc.ErrorInfo (reason, domain "peiling.vng.nl", metadata) and for bad
// requests a google.rpc.BadRequest with every wrong field at once.
//
// Inside the services an error is an absl::Status that carries those details as payloads; ToGrpc and FromGrpc convert at the boundary
// without loss.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace peiling::status {

// An error with a reason (UPPER_SNAKE) and facts about it. Message and metadata hold no personal data.
absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message,
                   const std::map<std::string, std::string>& metadata = {});

// Collects every wrong field of a request.
class BadRequest {
 public:
  // `field` as a path in the request ("response.answers[3]"), `description` as what is wrong and what is wanted
  // ("\"\", want non-empty").
  void Add(std::string_view field, std::string_view description);
  bool empty() const;
  // OK when nothing was added, else INVALID_ARGUMENT with `reason`. The message names the first fields too, so that a plain log shows them.
  // Fields beyond what fits in a client's 8 KiB of metadata become a last violation that counts them.
  absl::Status ToStatus(std::string_view reason = "INVALID_REQUEST") const;

 private:
  std::vector<std::pair<std::string, std::string>> violations_;
};

// The error with advice to try again, not before `delay` (google.rpc.RetryInfo).
absl::Status RetryAfter(absl::Status error, std::chrono::milliseconds delay);
// That advice; nullopt when the error has none.
std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status);

// The reason of an error, "" when it has none.
std::string Reason(const absl::Status& status);
// The metadata of an error's ErrorInfo.
std::map<std::string, std::string> Metadata(const absl::Status& status);
// The field violations of an error, as (field, description).
std::vector<std::pair<std::string, std::string>> FieldViolations(const absl::Status& status);

// At the boundary. An absl error without details gets its code's name as reason ("DEADLINE_EXCEEDED"); when that is INTERNAL or UNKNOWN,
// the reason is INTERNAL_ERROR, the message tells nothing, and what it said goes to the log.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace peiling::status
