#include "services/intake/intake_service.h"

#include <utility>

#include "google/protobuf/arena.h"
#include "grpcpp/support/message_allocator.h"
#include "services/common/deadline/deadline.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/identity/identity.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/intake/answers.h"
#include "services/intake/validate.h"

namespace peiling::intake {
namespace {

using ::grpc::ServerContext;
using status::Reply;

// Longest an import waits for validation's judgement of a group of rows.
constexpr std::chrono::seconds kGroupTimeout(30);

// Puts the messages of one call on an arena.
class ArenaAllocator final : public grpc::MessageAllocator<v1::SubmitResponseRequest, v1::SubmitResponseResponse> {
 public:
  grpc::MessageHolder<v1::SubmitResponseRequest, v1::SubmitResponseResponse>* AllocateMessages() override { return new Holder; }

 private:
  class Holder final : public grpc::MessageHolder<v1::SubmitResponseRequest, v1::SubmitResponseResponse> {
   public:
    Holder() {
      set_request(google::protobuf::Arena::CreateMessage<v1::SubmitResponseRequest>(&arena_));
      set_response(google::protobuf::Arena::CreateMessage<v1::SubmitResponseResponse>(&arena_));
    }
    void Release() override { delete this; }

   private:
    static google::protobuf::ArenaOptions Options() {
      google::protobuf::ArenaOptions options;
      options.start_block_size = 16 << 10;
      return options;
    }
    google::protobuf::Arena arena_{Options()};
  };
};

}  // namespace

IntakeService::IntakeService(storage::Store& store, Catalog& catalog, ResponseStore& responses, SubmissionBatcher& batcher,
                             ResponseImporter& importer, Erasure& erasure, DraftStore& drafts)
    : store_(store),
      catalog_(catalog),
      responses_(responses),
      batcher_(batcher),
      importer_(importer),
      erasure_(erasure),
      drafts_(drafts),
      submissions_(std::make_unique<ArenaAllocator>()) {
  SetMessageAllocatorFor_SubmitResponse(submissions_.get());
}

grpc::Status IntakeService::ApplyDocuments(ServerContext* context, const v1::ApplyDocumentsRequest* request,
                                           v1::ApplyDocumentsResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.Apply(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status IntakeService::GetSurvey(ServerContext*, const v1::GetSurveyRequest* request, v1::GetSurveyResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.GetSurvey(request->name()), response->mutable_survey());
}

grpc::Status IntakeService::ListSurveys(ServerContext*, const v1::ListSurveysRequest* request, v1::ListSurveysResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.ListSurveys(*request, page), response);
}

grpc::Status IntakeService::GetWave(ServerContext*, const v1::GetWaveRequest* request, v1::GetWaveResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWave(catalog_.GetWave(request->name()), response->mutable_wave());
}

grpc::Status IntakeService::ReplyWave(absl::StatusOr<v1::Wave> wave, v1::Wave* response) {
  if (wave.ok()) wave = responses_.WithTally(*std::move(wave));
  return Reply(std::move(wave), response);
}

grpc::Status IntakeService::OpenWave(ServerContext* context, const v1::OpenWaveRequest* request, v1::OpenWaveResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWave(catalog_.Open(*request, identity::CallerOf(*context).subject()), response->mutable_wave());
}

grpc::Status IntakeService::CloseWave(ServerContext* context, const v1::CloseWaveRequest* request, v1::CloseWaveResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWave(catalog_.Close(*request, identity::CallerOf(*context).subject()), response->mutable_wave());
}

grpc::Status IntakeService::ExtendWave(ServerContext* context, const v1::ExtendWaveRequest* request, v1::ExtendWaveResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWave(catalog_.Extend(*request, identity::CallerOf(*context).subject()), response->mutable_wave());
}

grpc::Status IntakeService::ListWaveChanges(ServerContext*, const v1::ListWaveChangesRequest* request,
                                            v1::ListWaveChangesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.ListChanges(*request, page), response);
}

grpc::Status IntakeService::ListWaves(ServerContext*, const v1::ListWavesRequest* request, v1::ListWavesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  absl::StatusOr<v1::ListWavesResponse> waves = catalog_.ListWaves(*request, page);
  if (!waves.ok()) return status::ToGrpc(waves.status());
  for (v1::Wave& wave : *waves->mutable_waves()) {
    if (grpc::Status status = Reply(responses_.WithTally(wave), &wave); !status.ok()) return status;
  }
  return Reply(std::move(waves), response);
}

grpc::Status IntakeService::GetQuestionnaire(ServerContext*, const v1::GetQuestionnaireRequest* request,
                                             v1::GetQuestionnaireResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.GetQuestionnaire(request->name()), response);
}

grpc::Status IntakeService::GetPublishedReport(ServerContext*, const v1::GetPublishedReportRequest* request,
                                               v1::GetPublishedReportResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(catalog_.GetPublishedReport(request->parent()), response);
}

grpc::ServerUnaryReactor* IntakeService::SubmitResponse(grpc::CallbackServerContext* context, const v1::SubmitResponseRequest* request,
                                                        v1::SubmitResponseResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (absl::Status valid = Validate(*request); !valid.ok()) {
    reactor->Finish(status::ToGrpc(valid));
    return reactor;
  }
  batcher_.Submit(*request, context->deadline(), response,
                  [reactor](const absl::Status& status) { reactor->Finish(status::ToGrpc(status)); });
  return reactor;
}

grpc::Status IntakeService::ImportResponses(ServerContext* context,
                                            grpc::ServerReaderWriter<v1::ImportResponsesResponse, v1::ImportResponsesRequest>* stream) {
  const server::Places::Place place(imports_);
  if (!place.granted()) {
    return status::ToGrpc(
        status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_IMPORTS", "too many imports are under way; try again later"));
  }
  return status::ToGrpc(importer_.Run({.read = [stream](v1::ImportResponsesRequest& request) { return stream->Read(&request); },
                                       .write = [stream](const v1::ImportResponsesResponse& report) { return stream->Write(report); },
                                       .cancelled = [context] { return context->IsCancelled(); },
                                       .make_context =
                                           [context] {
                                             auto client = grpc::ClientContext::FromServerContext(*context);
                                             deadline::Set(*client, kGroupTimeout);
                                             return client;
                                           }}));
}

grpc::Status IntakeService::GetResponse(ServerContext*, const v1::GetResponseRequest* request, v1::GetResponseResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const std::string wave = names::WaveOf(request->name());
  const absl::StatusOr<int> partitions = catalog_.Partitions(wave);
  if (!partitions.ok()) return status::ToGrpc(partitions.status());
  absl::StatusOr<StoredResponse> stored = responses_.Get(request->name(), *partitions);
  if (!stored.ok()) return status::ToGrpc(stored.status());
  if (request->view() == v1::RESPONSE_VIEW_PERSONAL) {
    auto questions = catalog_.Questions(wave);
    if (!questions.ok()) return status::ToGrpc(questions.status());
    PutBackPersonal(*(*questions)->questionnaire, std::move(stored->personal), *stored->response.mutable_answers());
  }
  response->mutable_response()->Swap(&stored->response);
  return grpc::Status::OK;
}

grpc::Status IntakeService::ListResponses(ServerContext*, const v1::ListResponsesRequest* request, v1::ListResponsesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  const absl::StatusOr<int> partitions = catalog_.Partitions(request->parent());
  if (!partitions.ok()) return status::ToGrpc(partitions.status());
  return Reply(responses_.List(*request, *partitions, page), response);
}

grpc::Status IntakeService::WithdrawResponse(ServerContext* context, const v1::WithdrawResponseRequest* request,
                                             v1::WithdrawResponseResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.Withdraw(*request, WriterOf(*context, request->name())), response);
}

grpc::Status IntakeService::ErasePersonalAnswers(ServerContext* context, const v1::ErasePersonalAnswersRequest* request,
                                                 v1::ErasePersonalAnswersResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(erasure_.Erase(*request, identity::CallerOf(*context).subject()), response->mutable_response());
}

grpc::ServerWriteReactor<v1::WatchWavesResponse>* IntakeService::WatchWaves(grpc::CallbackServerContext*,
                                                                            const v1::WatchWavesRequest* request) {
  return watches_.Start<v1::WatchWavesResponse>([this, after = request->after_sequence()](auto& stream) {
    return feed::ServeTo<v1::WatchWavesResponse>(
        stream, store_, Catalog::kPartition, after,
        [](const storage::FeedEvent& event, v1::WatchWavesResponse& message) {
          const bool readable = message.mutable_wave()->ParseFromString(event.value);
          message.mutable_wave()->set_sequence(event.sequence);
          return readable;
        },
        [](uint64_t) {});
  });
}

grpc::ServerWriteReactor<v1::WatchSubmissionsResponse>* IntakeService::WatchSubmissions(grpc::CallbackServerContext*,
                                                                                        const v1::WatchSubmissionsRequest* request) {
  return watches_.Start<v1::WatchSubmissionsResponse>([this, request = *request](auto& stream) { return WatchPartition(request, stream); });
}

absl::Status IntakeService::WatchPartition(const v1::WatchSubmissionsRequest& request,
                                           feed::WatchStream<v1::WatchSubmissionsResponse>& stream) {
  if (absl::Status valid = Validate(request); !valid.ok()) return valid;
  const absl::StatusOr<int> partitions = catalog_.Partitions(request.parent());
  if (!partitions.ok()) return partitions.status();
  if (absl::Status valid = ValidatePartition(request, *partitions); !valid.ok()) return valid;
  return feed::ServeTo<v1::WatchSubmissionsResponse>(
      stream, store_, names::PartitionName(request.parent(), request.partition()), request.after_sequence(),
      [](const storage::FeedEvent& event, v1::WatchSubmissionsResponse& message) {
        const bool readable = message.mutable_submission()->ParseFromString(event.value);
        message.mutable_submission()->set_sequence(event.sequence);
        message.mutable_submission()->mutable_response()->set_sequence(event.sequence);
        return readable;
      },
      [&request](uint64_t sequence) { feed::RecordEnd(feed::kSubmissions, request.parent(), request.partition(), sequence); });
}

}  // namespace peiling::intake
