#include "services/common/server/service_config.h"

#include <array>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/support/validate_service_config.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/validation/v1/validation.pb.h"
#include "rapidjson/document.h"

namespace peiling::server {
namespace {

using testing::ContainerEq;
using testing::IsEmpty;

// What changes nothing begins with one of these; a new kind of read is added here and to the file.
bool IsRead(const std::string& method) {
  static constexpr std::array kVerbs = {"Get",      "List",  "Trace",    "Resolve", "Find",    "BatchResolve", "BatchGet",
                                        "Validate", "Check", "Tabulate", "Compare", "Preview", "Verify"};
  return std::any_of(kVerbs.begin(), kVerbs.end(), [&](const char* verb) { return method.rfind(verb, 0) == 0; });
}

// Unary methods of all contracts, as service/method.
std::set<std::string> UnaryReads() {
  std::set<std::string> names;
  for (const auto* file :
       {access::v1::GetKeyRequest::descriptor()->file(), analytics::v1::TabulateRequest::descriptor()->file(),
        dedup::v1::GetCaseRequest::descriptor()->file(), fieldwork::v1::GetContactRequest::descriptor()->file(),
        fieldwork::v1::GetInvitationRequest::descriptor()->file(), fieldwork::v1::GetMessageRequest::descriptor()->file(),
        fieldwork::v1::ListCallsRequest::descriptor()->file(), fieldwork::v1::GetWebhookRequest::descriptor()->file(),
        intake::v1::GetDraftRequest::descriptor()->file(), intake::v1::GetWaveRequest::descriptor()->file(),
        registry::v1::GetMunicipalityRequest::descriptor()->file(), validation::v1::ValidateResponsesRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto& method = *file->service(s)->method(m);
        if (method.client_streaming() || method.server_streaming() || !IsRead(method.name())) continue;
        names.insert(file->service(s)->full_name() + "/" + method.name());
      }
    }
  }
  return names;
}

// Methods of the service config with or without a retry policy.
std::set<std::string> ConfiguredMethods(bool retried) {
  rapidjson::Document config;
  config.Parse(kServiceConfigJson);
  std::set<std::string> names;
  for (const auto& entry : config["methodConfig"].GetArray()) {
    // gRPC 1.51 counts it by the wall clock: once somebody sets that back, every call would be over before it began.
    EXPECT_FALSE(entry.HasMember("timeout"));
    if (entry.HasMember("retryPolicy") != retried) continue;
    for (const auto& name : entry["name"].GetArray()) {
      names.insert(std::string(name["service"].GetString()) + "/" + name["method"].GetString());
    }
  }
  return names;
}

TEST(ServiceConfig, IsValidToGrpc) { EXPECT_EQ(grpc::experimental::ValidateServiceConfigJSON(kServiceConfigJson), ""); }

TEST(ServiceConfig, RetriesReadsAndReadsAlone) { EXPECT_THAT(ConfiguredMethods(true), ContainerEq(UnaryReads())); }

TEST(ServiceConfig, NamesNothingElse) { EXPECT_THAT(ConfiguredMethods(false), IsEmpty()); }

}  // namespace
}  // namespace peiling::server
