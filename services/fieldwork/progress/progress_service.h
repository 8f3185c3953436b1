// The gRPC handlers of progress: check the request, read the facts, show what follows from them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "peiling/fieldwork/v1/progress.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/progress/lines.h"
#include "services/fieldwork/progress/wave_facts.h"

namespace peiling::fieldwork {

// Every call reads all invitations and messages of the wave, and holds one of gRPC's threads.
class ProgressService final : public v1::ProgressService::Service {
 public:
  // Earlier waves a wave is compared with: the last before it.
  static constexpr size_t kMostEarlierWaves = 5;

  // All, and the book of the sources, must outlive it.
  ProgressService(FactSources sources, ContactStore& contacts, std::unique_ptr<analytics::v1::AnalyticsService::StubInterface> analytics,
                  calendar::Clock clock)
      : sources_(std::move(sources)), contacts_(contacts), analytics_(std::move(analytics)), clock_(std::move(clock)) {}

  grpc::Status GetFieldworkProgress(grpc::ServerContext* context, const v1::GetFieldworkProgressRequest* request,
                                    v1::GetFieldworkProgressResponse* response) override;
  grpc::Status ListMunicipalityProgress(grpc::ServerContext* context, const v1::ListMunicipalityProgressRequest* request,
                                        v1::ListMunicipalityProgressResponse* response) override;
  grpc::Status ListCalls(grpc::ServerContext* context, const v1::ListCallsRequest* request, v1::ListCallsResponse* response) override;

 private:
  using Notices = google::protobuf::RepeatedPtrField<std::string>;

  // As it stood at the end of a day (YYYY-MM-DD), or "": now.
  absl::StatusOr<analytics::v1::Progress> Ask(grpc::ServerContext& context, const std::string& wave, const std::string& as_of);
  ResponseSoFar ReadResponse(grpc::ServerContext& context, const intake::v1::Wave& wave, int day, Notices& notices);
  // Waves of the survey that opened before this one, the last first.
  std::vector<std::shared_ptr<const WaveDetails>> EarlierThan(const intake::v1::Wave& wave) const;
  // Whom to ask for, in place of `contact` or beside it.
  absl::Status SetCallee(const std::string& contact, v1::Call& call);

  const FactSources sources_;
  ContactStore& contacts_;
  const std::unique_ptr<analytics::v1::AnalyticsService::StubInterface> analytics_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork
