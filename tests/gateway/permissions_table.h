// permissions.csv: who may call what, as it is meant.
#pragma once

#include <array>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "google/protobuf/message.h"
#include "grpcpp/channel.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/access/v1/options.pb.h"
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
#include "services/gateway/route_table.h"

namespace peiling::gateway {

// In the order of the table's columns.
constexpr std::array kRoles = {access::v1::ROLE_RESPONDENT, access::v1::ROLE_MAILER,        access::v1::ROLE_ANALYST,
                               access::v1::ROLE_RESEARCHER, access::v1::ROLE_ADMINISTRATOR, access::v1::ROLE_OPERATOR};

// Every service there is, at `channel`. Naming a request links its contract in.
inline std::vector<Backend> AllBackends(const std::shared_ptr<grpc::Channel>& channel = nullptr) {
  std::vector<Backend> backends;
  for (const auto* message :
       {static_cast<const google::protobuf::Message*>(&access::v1::GetKeyRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&analytics::v1::TabulateRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&dedup::v1::GetCaseRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&fieldwork::v1::GetContactRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&fieldwork::v1::GetInvitationRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&fieldwork::v1::GetMessageRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&fieldwork::v1::ListCallsRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&fieldwork::v1::GetWebhookRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&intake::v1::GetDraftRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&intake::v1::GetWaveRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&registry::v1::GetMunicipalityRequest::default_instance()),
        static_cast<const google::protobuf::Message*>(&validation::v1::ValidateResponsesRequest::default_instance())}) {
    const auto* const service = message->GetDescriptor()->file()->service(0);
    backends.push_back({service->name(), service->full_name(), channel});
  }
  return backends;
}

inline std::vector<std::string> ReadPermissionLines() {
  std::ifstream file(PEILING_PERMISSIONS);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// A line of the table: who may call a method.
struct Expected {
  // "/peiling.intake.v1.IntakeService/GetWave".
  std::string method;
  // None: it cannot be called from outside, unless anybody may.
  std::set<access::v1::Role> roles;
  // Without credentials, and with any that hold.
  bool anybody = false;

  bool outside() const { return anybody || !roles.empty(); }
  bool may(access::v1::Role role) const { return anybody || roles.contains(role); }
};

inline std::vector<Expected> ReadExpected() {
  std::vector<Expected> expected;
  for (const std::string& line : ReadPermissionLines()) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (cells.size() < 10 || cells[0] == "method") continue;
    expected.push_back({cells[0], {}, cells[kRoles.size() + 1] == "anybody"});
    for (size_t i = 0; i < kRoles.size(); ++i) {
      if (cells[i + 1] == "x") expected.back().roles.insert(kRoles[i]);
    }
  }
  return expected;
}

}  // namespace peiling::gateway
