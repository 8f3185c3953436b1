#include "services/analytics/analytics_service.h"

#include "services/analytics/validate.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

Caller CallerOf(grpc::ServerContext* context) {
  return {context->deadline(), [context] { return context->IsCancelled(); }};
}

// Checks a request, asks the question, and hands the answer or the error back.
template <typename Request, typename Response>
grpc::Status Handle(Analytics& analytics, absl::StatusOr<Response> (Analytics::*question)(const Request&, const Caller&),
                    grpc::ServerContext* context, const Request& request, Response* response) {
  const auto valid = Validate(request);
  if (!valid.ok()) return status::ToGrpc(valid);
  auto answer = (analytics.*question)(request, CallerOf(context));
  if (answer.ok()) *response = *std::move(answer);
  return status::ToGrpc(answer.status());
}

}  // namespace

grpc::Status AnalyticsServiceImpl::Tabulate(grpc::ServerContext* context, const v1::TabulateRequest* request,
                                            v1::TabulateResponse* response) {
  return Handle(*analytics_, &Analytics::Tabulate, context, *request, response);
}

grpc::Status AnalyticsServiceImpl::GetProgress(grpc::ServerContext* context, const v1::GetProgressRequest* request,
                                               v1::GetProgressResponse* response) {
  return Handle(*analytics_, &Analytics::GetProgress, context, *request, response);
}

grpc::Status AnalyticsServiceImpl::WatchProgress(grpc::ServerContext* context, const v1::WatchProgressRequest* request,
                                                 grpc::ServerWriter<v1::WatchProgressResponse>* writer) {
  const auto valid = Validate(*request);
  if (!valid.ok()) return status::ToGrpc(valid);
  const auto send = [&](const v1::WatchProgressResponse& progress) { return writer->Write(progress); };
  return status::ToGrpc(analytics_->WatchProgress(*request, CallerOf(context), send));
}

grpc::Status AnalyticsServiceImpl::GetTrend(grpc::ServerContext* context, const v1::GetTrendRequest* request,
                                            v1::GetTrendResponse* response) {
  return Handle(*analytics_, &Analytics::GetTrend, context, *request, response);
}

grpc::Status AnalyticsServiceImpl::ListTrends(grpc::ServerContext* context, const v1::ListTrendsRequest* request,
                                              v1::ListTrendsResponse* response) {
  return Handle(*analytics_, &Analytics::ListTrends, context, *request, response);
}

grpc::Status AnalyticsServiceImpl::CompareWithPublished(grpc::ServerContext* context, const v1::CompareWithPublishedRequest* request,
                                                        v1::CompareWithPublishedResponse* response) {
  return Handle(*analytics_, &Analytics::CompareWithPublished, context, *request, response);
}

}  // namespace peiling::analytics
