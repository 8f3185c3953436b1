// What a command works with while it runs.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/ctl/client/channel.h"
#include "services/ctl/client/connection.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/output/format.h"

namespace peiling::ctl {

// Flags that every command takes.
struct Flags {
  // "host:port" or "https://host:port".
  std::string server = "127.0.0.1:7340";
  Credentials credentials;
  std::string wave;
  std::string survey;
  std::string output = "table";
  // "30s", "2m", "500ms"; a bare number is seconds. Empty: each command's own.
  std::string timeout;
};

// Not thread-safe.
class Session {
 public:
  // Usage error when a flag does not read; the errors of OpenChannel. Warns of secrets that others can read.
  // Streams must outlive the session.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const Flags& flags, Output& output);

  Connection& connection() { return *connection_; }
  Output& output() { return output_; }
  const std::string& server() const { return flags_.server; }

  // --timeout, or what the command takes when there is none.
  std::chrono::milliseconds TimeoutOr(std::chrono::milliseconds otherwise) const { return has_timeout_ ? timeout_ : otherwise; }
  // For calls that end by themselves: no deadline but the one the user sets.
  void SetDeadlineIfAsked(grpc::ClientContext& context) const;

  // Full name of the survey: --survey, or the one --wave is of, or the only one there is. Usage error when there are several.
  absl::StatusOr<std::string> Survey();
  // Full name of the wave from --wave ("2022", "sociale-wijkteams/2022" or the full name), or the only one there is.
  absl::StatusOr<std::string> WaveName();
  absl::StatusOr<intake::v1::Wave> Wave();
  // The questionnaire of the wave.
  absl::StatusOr<survey::v1::Questionnaire> Questionnaire();

  // A name below the wave: "101" with "responses" is "surveys/…/waves/…/responses/101"; a full name stays as it is.
  absl::StatusOr<std::string> Below(std::string_view collection, std::string_view id);
  // "GM0363", or a name or known spelling of one municipality on the wave's frame date. What is merely like a name is refused, with
  // candidates.
  absl::StatusOr<std::string> MunicipalityCode(const std::string& text);

 private:
  Session(const Flags& flags, Output& output) : flags_(flags), output_(output) {}

  const Flags flags_;
  Output& output_;
  bool has_timeout_ = false;
  std::chrono::milliseconds timeout_{};
  std::unique_ptr<Connection> connection_;
  std::string wave_name_;
};

// "30s", "2m", "500ms", or a number of seconds.
absl::StatusOr<std::chrono::milliseconds> ParseTimeout(const std::string& text);

}  // namespace peiling::ctl
