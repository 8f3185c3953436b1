// The suite as seen from the command line: one address, the contracts behind it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/fieldwork/v1/contacts.grpc.pb.h"
#include "peiling/fieldwork/v1/invitations.grpc.pb.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "peiling/fieldwork/v1/progress.grpc.pb.h"
#include "peiling/fieldwork/v1/webhooks.grpc.pb.h"
#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {

using Intake = intake::v1::IntakeService::Stub;
using Registry = registry::v1::RegistryService::Stub;
using Dedup = dedup::v1::DedupService::Stub;
using Analytics = analytics::v1::AnalyticsService::Stub;
using Access = access::v1::AccessService::Stub;
using Contacts = fieldwork::v1::ContactService::Stub;
using Drafts = intake::v1::DraftService::Stub;
using FieldProgress = fieldwork::v1::ProgressService::Stub;
using Invitations = fieldwork::v1::InvitationService::Stub;
using Mail = fieldwork::v1::MailService::Stub;
using Webhooks = fieldwork::v1::WebhookService::Stub;
using Health = grpc::health::v1::Health::Stub;

// Thread-safe. Connects at the first call.
class Connection {
 public:
  // Each call gets `timeout`.
  Connection(const std::shared_ptr<grpc::Channel>& channel, std::chrono::milliseconds timeout);

  template <class Stub>
  Stub& stub() {
    return *std::get<std::unique_ptr<Stub>>(stubs_);
  }

  // One call: Call(&Intake::GetSurvey, request).
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request) {
    return Call(method, request, timeout_);
  }
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                                std::chrono::milliseconds timeout) {
    grpc::ClientContext context;
    deadline::Set(context, timeout);
    Response response;
    const grpc::Status status = (stub<Stub>().*method)(&context, request, &response);
    if (!status.ok()) return status::FromGrpc(status);
    return response;
  }

  // All pages of a list, as one response: pages hold the items alone, so merging appends them.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> CallAll(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request) {
    Response all;
    request.set_page_size(kPageSize);
    do {
      absl::StatusOr<Response> page = Call(method, request);
      if (!page.ok()) return page.status();
      if (!page->next_page_token().empty() && page->next_page_token() == request.page_token()) {
        return absl::InternalError("the server gave the same page twice");
      }
      request.set_page_token(page->next_page_token());
      all.MergeFrom(*page);
    } while (!request.page_token().empty());
    all.clear_next_page_token();
    return all;
  }

 private:
  // Small enough that a page of whole responses stays under gRPC's 4 MiB.
  static constexpr int kPageSize = 200;

  const std::chrono::milliseconds timeout_;
  std::tuple<std::unique_ptr<Access>, std::unique_ptr<Intake>, std::unique_ptr<Registry>, std::unique_ptr<Dedup>,
             std::unique_ptr<Analytics>, std::unique_ptr<Contacts>, std::unique_ptr<Drafts>, std::unique_ptr<FieldProgress>,
             std::unique_ptr<Invitations>, std::unique_ptr<Mail>, std::unique_ptr<Webhooks>, std::unique_ptr<Health>>
      stubs_;
};

}  // namespace peiling::ctl
