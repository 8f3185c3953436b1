// How many sections questionnaires have.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "peiling/intake/v1/intake.grpc.pb.h"

namespace peiling::fieldwork {

// Thread-safe.
class QuestionnaireSections {
 public:
  // `intake` must outlive it.
  explicit QuestionnaireSections(intake::v1::IntakeService::StubInterface& intake) : intake_(intake) {}

  // Of the questionnaire of a wave. Asks intake once for each version of it; errors are those of the call.
  absl::StatusOr<int> Count(const intake::v1::Wave& wave, grpc::ClientContext& context);

 private:
  intake::v1::IntakeService::StubInterface& intake_;
  std::mutex mutex_;
  // By fingerprint.
  std::map<std::string, int> counts_;
};

}  // namespace peiling::fieldwork
