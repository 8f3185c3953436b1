// The gRPC handlers of dedup: check, ask the domain, map the status.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "services/common/feed/watches.h"
#include "services/common/server/places.h"
#include "services/common/storage/store.h"
#include "services/dedup/wave_view.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {

// Watches have threads of their own, so they are callbacks; the others hold one of gRPC's threads each.
class DedupService final : public v1::DedupService::WithCallbackMethod_WatchRecords<v1::DedupService::Service> {
 public:
  // Watches at a time.
  static constexpr int kMaxWatchers = 1024;

  // Both must outlive it. At most `max_waiting_calls` calls wait for a position at once; one more gets
  // RESOURCE_EXHAUSTED/TOO_MANY_WAITING_CALLS.
  DedupService(storage::Store& store, Waves& waves, int max_waiting_calls) : store_(store), waves_(waves), places_(max_waiting_calls) {}

  // Ends calls that wait; watches end with the store's Interrupt.
  void Stop() { stopping_ = true; }

  grpc::Status GetCase(grpc::ServerContext* context, const v1::GetCaseRequest* request, v1::GetCaseResponse* response) override;
  grpc::Status ListCases(grpc::ServerContext* context, const v1::ListCasesRequest* request, v1::ListCasesResponse* response) override;
  grpc::Status ListDecisions(grpc::ServerContext* context, const v1::ListDecisionsRequest* request,
                             v1::ListDecisionsResponse* response) override;
  grpc::Status CreateRuling(grpc::ServerContext* context, const v1::CreateRulingRequest* request,
                            v1::CreateRulingResponse* response) override;
  grpc::Status RetractRuling(grpc::ServerContext* context, const v1::RetractRulingRequest* request,
                             v1::RetractRulingResponse* response) override;
  grpc::Status ListRulings(grpc::ServerContext* context, const v1::ListRulingsRequest* request, v1::ListRulingsResponse* response) override;
  grpc::Status GetRecord(grpc::ServerContext* context, const v1::GetRecordRequest* request, v1::GetRecordResponse* response) override;
  grpc::Status ListRecords(grpc::ServerContext* context, const v1::ListRecordsRequest* request, v1::ListRecordsResponse* response) override;
  grpc::Status GetCleaningReport(grpc::ServerContext* context, const v1::GetCleaningReportRequest* request,
                                 v1::GetCleaningReportResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchRecordsResponse>* WatchRecords(grpc::CallbackServerContext* context,
                                                                   const v1::WatchRecordsRequest* request) override;

 private:
  // WAVE_NOT_FOUND when there is none.
  absl::StatusOr<WaveView> View(const std::string& wave);
  // Reads something after its request was checked.
  template <typename Request, typename Response, typename Read>
  grpc::Status Get(const Request& request, Response* response, Read read);
  template <typename Request, typename Response, typename Read>
  grpc::Status List(const Request& request, Response* response, Read read);
  absl::StatusOr<v1::GetCleaningReportResponse> WaitAndReport(const grpc::ServerContext& context,
                                                              const v1::GetCleaningReportRequest& request);
  absl::Status Wait(const grpc::ServerContext& context, const v1::GetCleaningReportRequest& request);
  absl::Status Watch(const v1::WatchRecordsRequest& request, feed::WatchStream<v1::WatchRecordsResponse>& stream);

  storage::Store& store_;
  Waves& waves_;
  server::Places places_;
  std::atomic<bool> stopping_ = false;
  feed::Watches watches_{kMaxWatchers};
};

}  // namespace peiling::dedup
