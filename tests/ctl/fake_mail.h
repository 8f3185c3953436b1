// An outbox at an address of its own that gives what the test puts in, and keeps what it is told.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"

namespace peiling::ctl::testing {

inline constexpr char kMailWave[] = "surveys/vn/waves/2026";

// Thread-safe.
class FakeMail final : public fieldwork::v1::MailService::Service {
 public:
  FakeMail();
  ~FakeMail() override;

  std::string address() const { return address_; }

  // Makes a message due to this address: its name ends with "<id>.uitnodiging.1".
  void Add(const std::string& id, const std::string& address, const std::string& name = "J. Jansen");
  static std::string Name(const std::string& id);
  // How many of the next calls of CompleteMail fail with UNAVAILABLE.
  void FailCompletions(int calls);
  // What CompleteMail and ReportDeliveryEvents answer of a message; OK by default.
  void Answers(const std::string& id, fieldwork::v1::MailResult result, const std::string& problem = "");
  // How many of the next calls of BeginMail do.
  void FailBegins(int calls);
  // LeaseMail gives no more at a time.
  void LeaseAtMost(int messages);
  // BeginMail cancels it.
  void Cancel(const std::string& id);

  // All that was told, in order.
  std::vector<fieldwork::v1::MailOutcome> outcomes() const;
  std::vector<fieldwork::v1::CompleteMailRequest> completions() const;
  std::vector<fieldwork::v1::DeliveryEvent> events() const;
  std::vector<std::string> begun() const;
  int leases() const;

  grpc::Status LeaseMail(grpc::ServerContext*, const fieldwork::v1::LeaseMailRequest*, fieldwork::v1::LeaseMailResponse*) override;
  grpc::Status BeginMail(grpc::ServerContext*, const fieldwork::v1::BeginMailRequest*, fieldwork::v1::BeginMailResponse*) override;
  grpc::Status CompleteMail(grpc::ServerContext*, const fieldwork::v1::CompleteMailRequest*, fieldwork::v1::CompleteMailResponse*) override;
  grpc::Status ReportDeliveryEvents(grpc::ServerContext*, const fieldwork::v1::ReportDeliveryEventsRequest*,
                                    fieldwork::v1::ReportDeliveryEventsResponse*) override;
  grpc::Status GetMailStatus(grpc::ServerContext*, const fieldwork::v1::GetMailStatusRequest*,
                             fieldwork::v1::GetMailStatusResponse*) override;
  grpc::Status PreviewMail(grpc::ServerContext*, const fieldwork::v1::PreviewMailRequest*, fieldwork::v1::PreviewMailResponse*) override;

 private:
  fieldwork::v1::MailItemResult ResultOf(const std::string& message) const;

  mutable std::mutex mutex_;
  std::vector<fieldwork::v1::LeasedMessage> due_;
  std::map<std::string, fieldwork::v1::LeasedMessage> leased_;
  std::map<std::string, fieldwork::v1::MailItemResult> answers_;
  std::map<std::string, bool> cancelled_;
  std::vector<fieldwork::v1::CompleteMailRequest> completions_;
  std::vector<fieldwork::v1::DeliveryEvent> events_;
  std::vector<std::string> begun_;
  int failing_completions_ = 0;
  int failing_begins_ = 0;
  int most_leased_ = 1000;
  int leases_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace peiling::ctl::testing
