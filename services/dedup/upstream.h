// What dedup asks of other services: the questions of a wave, its frame, and which municipalities a text means.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/dedup/wave_setup.h"

namespace peiling::dedup {

// Thread-safe. Every call has a deadline of its own. Errors are those of the services.
class Upstream {
 public:
  Upstream(std::unique_ptr<intake::v1::IntakeService::StubInterface> intake,
           std::unique_ptr<registry::v1::RegistryService::StubInterface> registry)
      : intake_(std::move(intake)), registry_(std::move(registry)) {}

  intake::v1::IntakeService::StubInterface& intake() { return *intake_; }

  // Everything needed to set a wave up. FAILED_PRECONDITION/NO_FRAME_DATE when the wave has none.
  absl::StatusOr<WaveSource> FetchSource(const intake::v1::Wave& wave);

  // As dedup::Resolve; at most 1,000 texts. A text the registry refuses (too long, say) is UNKNOWN: a response is never held up by what
  // somebody typed.
  absl::StatusOr<std::vector<registry::v1::Resolution>> Resolve(const std::vector<std::string>& texts, const std::string& as_of);

 private:
  absl::StatusOr<registry::v1::ListMunicipalitiesResponse> FetchFrame(const std::string& frame_date);
  absl::StatusOr<std::vector<registry::v1::Resolution>> ResolveTogether(const std::vector<std::string>& texts, const std::string& as_of);
  absl::StatusOr<std::vector<registry::v1::Resolution>> ResolveOneByOne(const std::vector<std::string>& texts, const std::string& as_of);

  const std::unique_ptr<intake::v1::IntakeService::StubInterface> intake_;
  const std::unique_ptr<registry::v1::RegistryService::StubInterface> registry_;
};

}  // namespace peiling::dedup
