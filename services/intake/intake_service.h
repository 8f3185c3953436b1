// The gRPC handlers of intake: check the request, call the domain, map the status.
#pragma once

#include <memory>
#include <string>

#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/feed/watches.h"
#include "services/common/server/places.h"
#include "services/common/storage/store.h"
#include "services/intake/catalog.h"
#include "services/intake/drafts/draft_store.h"
#include "services/intake/erasure.h"
#include "services/intake/response_importer.h"
#include "services/intake/response_store.h"
#include "services/intake/submission_batcher.h"

namespace peiling::intake {

// SubmitResponse waits in a queue and watches have threads of their own, so they are callbacks; the others work, and hold one of gRPC's
// threads each.
class IntakeService final : public v1::IntakeService::WithCallbackMethod_SubmitResponse<v1::IntakeService::WithCallbackMethod_WatchWaves<
                                v1::IntakeService::WithCallbackMethod_WatchSubmissions<v1::IntakeService::Service>>> {
 public:
  // Watches at a time.
  static constexpr int kMaxWatchers = 1024;
  // Imports at a time; each holds a thread, and the ids of its file.
  static constexpr int kMaxImports = 8;

  // All must outlive the service.
  IntakeService(storage::Store& store, Catalog& catalog, ResponseStore& responses, SubmissionBatcher& batcher, ResponseImporter& importer,
                Erasure& erasure, DraftStore& drafts);

  grpc::Status ApplyDocuments(grpc::ServerContext* context, const v1::ApplyDocumentsRequest* request,
                              v1::ApplyDocumentsResponse* response) override;
  grpc::Status GetSurvey(grpc::ServerContext* context, const v1::GetSurveyRequest* request, v1::GetSurveyResponse* response) override;
  grpc::Status ListSurveys(grpc::ServerContext* context, const v1::ListSurveysRequest* request, v1::ListSurveysResponse* response) override;
  grpc::Status GetWave(grpc::ServerContext* context, const v1::GetWaveRequest* request, v1::GetWaveResponse* response) override;
  grpc::Status ListWaves(grpc::ServerContext* context, const v1::ListWavesRequest* request, v1::ListWavesResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchWavesResponse>* WatchWaves(grpc::CallbackServerContext* context,
                                                               const v1::WatchWavesRequest* request) override;
  grpc::Status OpenWave(grpc::ServerContext* context, const v1::OpenWaveRequest* request, v1::OpenWaveResponse* response) override;
  grpc::Status CloseWave(grpc::ServerContext* context, const v1::CloseWaveRequest* request, v1::CloseWaveResponse* response) override;
  grpc::Status ExtendWave(grpc::ServerContext* context, const v1::ExtendWaveRequest* request, v1::ExtendWaveResponse* response) override;
  grpc::Status ListWaveChanges(grpc::ServerContext* context, const v1::ListWaveChangesRequest* request,
                               v1::ListWaveChangesResponse* response) override;
  grpc::Status GetQuestionnaire(grpc::ServerContext* context, const v1::GetQuestionnaireRequest* request,
                                v1::GetQuestionnaireResponse* response) override;
  grpc::Status GetPublishedReport(grpc::ServerContext* context, const v1::GetPublishedReportRequest* request,
                                  v1::GetPublishedReportResponse* response) override;
  grpc::ServerUnaryReactor* SubmitResponse(grpc::CallbackServerContext* context, const v1::SubmitResponseRequest* request,
                                           v1::SubmitResponseResponse* response) override;
  grpc::Status ImportResponses(grpc::ServerContext* context,
                               grpc::ServerReaderWriter<v1::ImportResponsesResponse, v1::ImportResponsesRequest>* stream) override;
  grpc::Status GetResponse(grpc::ServerContext* context, const v1::GetResponseRequest* request, v1::GetResponseResponse* response) override;
  grpc::Status ListResponses(grpc::ServerContext* context, const v1::ListResponsesRequest* request,
                             v1::ListResponsesResponse* response) override;
  grpc::Status WithdrawResponse(grpc::ServerContext* context, const v1::WithdrawResponseRequest* request,
                                v1::WithdrawResponseResponse* response) override;
  grpc::Status ErasePersonalAnswers(grpc::ServerContext* context, const v1::ErasePersonalAnswersRequest* request,
                                    v1::ErasePersonalAnswersResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchSubmissionsResponse>* WatchSubmissions(grpc::CallbackServerContext* context,
                                                                           const v1::WatchSubmissionsRequest* request) override;

 private:
  // The wave with what its responses know.
  grpc::Status ReplyWave(absl::StatusOr<v1::Wave> wave, v1::Wave* response);
  absl::Status WatchPartition(const v1::WatchSubmissionsRequest& request, feed::WatchStream<v1::WatchSubmissionsResponse>& stream);

  storage::Store& store_;
  Catalog& catalog_;
  ResponseStore& responses_;
  SubmissionBatcher& batcher_;
  ResponseImporter& importer_;
  Erasure& erasure_;
  DraftStore& drafts_;
  // A submission and its answer are many small things that come and go together.
  const std::unique_ptr<grpc::MessageAllocator<v1::SubmitResponseRequest, v1::SubmitResponseResponse>> submissions_;
  server::Places imports_{kMaxImports};
  feed::Watches watches_{kMaxWatchers};
};

}  // namespace peiling::intake
