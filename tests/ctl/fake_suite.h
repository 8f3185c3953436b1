// A server at one address that answers every call as the test says, as the gateway would.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"
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

namespace peiling::ctl::testing {

// Thread-safe. A method without an answer is UNIMPLEMENTED.
class FakeSuite {
 public:
  struct Answer {
    // Serialised; sent when the client has sent everything.
    std::vector<std::string> messages;
    grpc::Status status;
    // The call goes on until the client ends it.
    bool stays_open = false;
  };

  FakeSuite();
  ~FakeSuite();

  std::string address() const { return address_; }

  // What a method ("/peiling.intake.v1.IntakeService/GetWave") answers from now on: messages in protobuf text format.
  template <class Response>
  void Answers(const std::string& method, const std::vector<std::string>& texts, bool stays_open = false) {
    Answer answer{.stays_open = stays_open};
    for (const std::string& text : texts) {
      Response response;
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &response)) << text;
      answer.messages.push_back(response.SerializeAsString());
    }
    Set(method, std::move(answer));
  }
  template <class Response>
  void Answers(const std::string& method, const std::string& text) {
    Answers<Response>(method, std::vector<std::string>{text});
  }
  // Fails, after the messages, if any, that were set before.
  void Fails(const std::string& method, const absl::Status& status);

  // What a method was asked, in order.
  template <class Request>
  std::vector<Request> Requests(const std::string& method) const {
    std::lock_guard lock(mutex_);
    std::vector<Request> requests;
    const auto found = requests_.find(method);
    if (found == requests_.end()) return requests;
    for (const std::string& bytes : found->second) requests.emplace_back().ParseFromString(bytes);
    return requests;
  }

 private:
  class Service;
  class Call;

  void Set(const std::string& method, Answer answer);
  Answer Take(const std::string& method, const std::vector<std::string>& requests);

  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, std::vector<std::string>> requests_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// Method names.
std::string IntakeMethod(const std::string& name);
std::string RegistryMethod(const std::string& name);
std::string DedupMethod(const std::string& name);
std::string AnalyticsMethod(const std::string& name);
std::string DraftMethod(const std::string& name);
// Of one of fieldwork's services: FieldworkMethod("ContactService/GetContact").
std::string FieldworkMethod(const std::string& name);

// A suite with one survey, one wave "surveys/teams/waves/2022" and a small questionnaire.
class SuiteTest : public ::testing::Test {
 protected:
  SuiteTest();

  FakeSuite suite_;
};

}  // namespace peiling::ctl::testing
