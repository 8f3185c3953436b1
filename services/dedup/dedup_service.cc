#include "services/dedup/dedup_service.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "services/common/feed/feed_metrics.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/dedup/validate.h"

namespace peiling::dedup {
namespace {

using status::Reply;

// How long a caller without a deadline waits, and how often a wave that is not there yet is looked for.
constexpr std::chrono::seconds kMaxWait(60);
constexpr std::chrono::milliseconds kLookAgain(50);

}  // namespace

absl::StatusOr<WaveView> DedupService::View(const std::string& wave) {
  if (auto ledger = waves_.Find(wave); !ledger.ok()) return ledger.status();
  return WaveView(store_, wave);
}

template <typename Request, typename Response, typename Read>
grpc::Status DedupService::Get(const Request& request, Response* response, Read read) {
  if (absl::Status checked = validate::Check(request); !checked.ok()) return status::ToGrpc(checked);
  auto view = View(names::WaveOf(request.name()));
  return view.ok() ? Reply(((*view).*read)(request), response) : status::ToGrpc(view.status());
}

template <typename Request, typename Response, typename Read>
grpc::Status DedupService::List(const Request& request, Response* response, Read read) {
  auto page = validate::CheckList(request);
  if (!page.ok()) return status::ToGrpc(page.status());
  auto view = View(request.parent());
  return view.ok() ? Reply(((*view).*read)(request, *page), response) : status::ToGrpc(view.status());
}

grpc::Status DedupService::GetCase(grpc::ServerContext*, const v1::GetCaseRequest* request, v1::GetCaseResponse* response) {
  return Get(*request, response, &WaveView::GetCase);
}

grpc::Status DedupService::GetRecord(grpc::ServerContext*, const v1::GetRecordRequest* request, v1::GetRecordResponse* response) {
  return Get(*request, response, &WaveView::GetRecord);
}

grpc::Status DedupService::ListCases(grpc::ServerContext*, const v1::ListCasesRequest* request, v1::ListCasesResponse* response) {
  return List(*request, response, &WaveView::ListCases);
}

grpc::Status DedupService::ListDecisions(grpc::ServerContext*, const v1::ListDecisionsRequest* request,
                                         v1::ListDecisionsResponse* response) {
  return List(*request, response, &WaveView::ListDecisions);
}

grpc::Status DedupService::ListRulings(grpc::ServerContext*, const v1::ListRulingsRequest* request, v1::ListRulingsResponse* response) {
  return List(*request, response, &WaveView::ListRulings);
}

grpc::Status DedupService::ListRecords(grpc::ServerContext*, const v1::ListRecordsRequest* request, v1::ListRecordsResponse* response) {
  return List(*request, response, &WaveView::ListRecords);
}

grpc::Status DedupService::CreateRuling(grpc::ServerContext* context, const v1::CreateRulingRequest* request,
                                        v1::CreateRulingResponse* response) {
  const std::string caller = identity::CallerOf(*context).subject();
  if (absl::Status checked = validate::Check(*request, caller); !checked.ok()) return status::ToGrpc(checked);
  auto ledger = waves_.Find(request->parent());
  return ledger.ok() ? Reply((*ledger)->CreateRuling(*request, caller), response) : status::ToGrpc(ledger.status());
}

grpc::Status DedupService::RetractRuling(grpc::ServerContext* context, const v1::RetractRulingRequest* request,
                                         v1::RetractRulingResponse* response) {
  const std::string caller = identity::CallerOf(*context).subject();
  if (absl::Status checked = validate::Check(*request, caller); !checked.ok()) return status::ToGrpc(checked);
  auto ledger = waves_.Find(names::WaveOf(request->name()));
  return ledger.ok() ? Reply((*ledger)->RetractRuling(*request, caller), response) : status::ToGrpc(ledger.status());
}

grpc::Status DedupService::GetCleaningReport(grpc::ServerContext* context, const v1::GetCleaningReportRequest* request,
                                             v1::GetCleaningReportResponse* response) {
  if (absl::Status checked = validate::Check(*request); !checked.ok()) return status::ToGrpc(checked);
  return Reply(WaitAndReport(*context, *request), response);
}

grpc::ServerWriteReactor<v1::WatchRecordsResponse>* DedupService::WatchRecords(grpc::CallbackServerContext*,
                                                                               const v1::WatchRecordsRequest* request) {
  return watches_.Start<v1::WatchRecordsResponse>([this, request = *request](auto& stream) { return Watch(request, stream); });
}

absl::StatusOr<v1::GetCleaningReportResponse> DedupService::WaitAndReport(const grpc::ServerContext& context,
                                                                          const v1::GetCleaningReportRequest& request) {
  if (request.has_wait_for()) {
    if (absl::Status waited = Wait(context, request); !waited.ok()) return waited;
  }
  auto view = View(request.parent());
  if (!view.ok()) return view.status();
  return view->GetCleaningReport();
}

absl::Status DedupService::Wait(const grpc::ServerContext& context, const v1::GetCleaningReportRequest& request) {
  const server::Places::Place place(places_);
  if (!place.granted()) {
    return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_WAITING_CALLS", "too many callers wait; try again later");
  }
  const auto deadline = std::min(context.deadline(), std::chrono::system_clock::now() + kMaxWait);
  const auto go_on = [&]() -> absl::Status {
    if (stopping_) return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "dedup is shutting down");
    if (context.IsCancelled()) return status::Error(absl::StatusCode::kCancelled, "CLIENT_GONE", "the caller gave up");
    return absl::OkStatus();
  };
  // A wave that was made a moment ago may not have been heard of yet.
  const auto known = [&] { return waves_.Find(request.parent()).ok(); };
  while (!known() && std::chrono::system_clock::now() < deadline) {
    if (absl::Status status = go_on(); !status.ok()) return status;
    std::this_thread::sleep_for(kLookAgain);
  }
  auto view = View(request.parent());
  return view.ok() ? view->WaitFor(request.wait_for(), deadline, go_on) : view.status();
}

absl::Status DedupService::Watch(const v1::WatchRecordsRequest& request, feed::WatchStream<v1::WatchRecordsResponse>& stream) {
  if (absl::Status checked = validate::Check(request); !checked.ok()) return checked;
  if (auto view = View(request.parent()); !view.ok()) return view.status();
  return feed::ServeTo<v1::WatchRecordsResponse>(
      stream, store_, request.parent(), request.after_sequence(),
      [](const storage::FeedEvent& event, v1::WatchRecordsResponse& message) {
        const bool readable = message.mutable_change()->ParseFromString(event.value);
        message.mutable_change()->set_sequence(event.sequence);
        return readable;
      },
      [&request](uint64_t sequence) { feed::RecordEnd(feed::kRecords, request.parent(), 0, sequence); });
}

}  // namespace peiling::dedup
