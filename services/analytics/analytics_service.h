// The gRPC handlers of analytics: check, ask, map the status.
#pragma once

#include <memory>

#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "services/analytics/analytics.h"

namespace peiling::analytics {

// Thread-safe.
class AnalyticsServiceImpl final : public v1::AnalyticsService::Service {
 public:
  explicit AnalyticsServiceImpl(std::shared_ptr<Analytics> analytics) : analytics_(std::move(analytics)) {}

  grpc::Status Tabulate(grpc::ServerContext* context, const v1::TabulateRequest* request, v1::TabulateResponse* response) override;
  grpc::Status GetProgress(grpc::ServerContext* context, const v1::GetProgressRequest* request, v1::GetProgressResponse* response) override;
  grpc::Status WatchProgress(grpc::ServerContext* context, const v1::WatchProgressRequest* request,
                             grpc::ServerWriter<v1::WatchProgressResponse>* writer) override;
  grpc::Status GetTrend(grpc::ServerContext* context, const v1::GetTrendRequest* request, v1::GetTrendResponse* response) override;
  grpc::Status ListTrends(grpc::ServerContext* context, const v1::ListTrendsRequest* request, v1::ListTrendsResponse* response) override;
  grpc::Status CompareWithPublished(grpc::ServerContext* context, const v1::CompareWithPublishedRequest* request,
                                    v1::CompareWithPublishedResponse* response) override;

 private:
  const std::shared_ptr<Analytics> analytics_;
};

}  // namespace peiling::analytics
