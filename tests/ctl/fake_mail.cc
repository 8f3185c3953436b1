#include "tests/ctl/fake_mail.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace peiling::ctl::testing {

using namespace fieldwork::v1;  // NOLINT(google-build-using-namespace): a service and all its messages

FakeMail::FakeMail() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeMail::~FakeMail() { server_->Shutdown(std::chrono::system_clock::now()); }

std::string FakeMail::Name(const std::string& id) { return absl::StrCat(kMailWave, "/messages/", id, ".uitnodiging.1"); }

void FakeMail::Add(const std::string& id, const std::string& address, const std::string& name) {
  LeasedMessage message;
  message.set_message(Name(id));
  message.set_kind(survey::v1::MAIL_KIND_INVITATION);
  message.set_step("uitnodiging");
  message.set_return_token("abcdefgh01234567");
  MailContent& content = *message.mutable_content();
  content.set_to_address(address);
  content.set_to_name(name);
  content.set_from_address("peiling@vng.example");
  content.set_from_name("VNG");
  content.set_language("nl");
  content.set_subject("Uitnodiging");
  content.set_text("Beste J. Jansen");
  content.set_unsubscribe_url("https://peiling.example/v1/unsubscriptions/abc");
  (*content.mutable_fields())["link"] = "https://peiling.example/deelnemen#abc";
  (*content.mutable_fields())["aanhef"] = "Geachte heer Jansen";
  const std::lock_guard lock(mutex_);
  due_.push_back(std::move(message));
}

void FakeMail::FailCompletions(int calls) {
  const std::lock_guard lock(mutex_);
  failing_completions_ = calls;
}

void FakeMail::FailBegins(int calls) {
  const std::lock_guard lock(mutex_);
  failing_begins_ = calls;
}

void FakeMail::LeaseAtMost(int messages) {
  const std::lock_guard lock(mutex_);
  most_leased_ = messages;
}

void FakeMail::Answers(const std::string& id, MailResult result, const std::string& problem) {
  const std::lock_guard lock(mutex_);
  answers_[Name(id)].set_result(result);
  answers_[Name(id)].set_problem(problem);
}

void FakeMail::Cancel(const std::string& id) {
  const std::lock_guard lock(mutex_);
  cancelled_[Name(id)] = true;
}

std::vector<MailOutcome> FakeMail::outcomes() const {
  std::vector<MailOutcome> outcomes;
  for (const CompleteMailRequest& request : completions())
    outcomes.insert(outcomes.end(), request.outcomes().begin(), request.outcomes().end());
  return outcomes;
}

std::vector<CompleteMailRequest> FakeMail::completions() const {
  const std::lock_guard lock(mutex_);
  return completions_;
}

std::vector<DeliveryEvent> FakeMail::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> FakeMail::begun() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

int FakeMail::leases() const {
  const std::lock_guard lock(mutex_);
  return leases_;
}

MailItemResult FakeMail::ResultOf(const std::string& message) const {
  const auto answer = answers_.find(message);
  MailItemResult result = answer == answers_.end() ? MailItemResult() : answer->second;
  result.set_message(message);
  if (answer == answers_.end()) result.set_result(MAIL_RESULT_OK);
  return result;
}

grpc::Status FakeMail::LeaseMail(grpc::ServerContext*, const LeaseMailRequest* request, LeaseMailResponse* response) {
  const std::lock_guard lock(mutex_);
  response->set_lease_id(absl::StrCat("lease-", ++leases_));
  while (!due_.empty() && response->messages_size() < std::min(request->max_messages(), most_leased_)) {
    *response->add_messages() = due_.front();
    leased_[due_.front().message()] = due_.front();
    due_.erase(due_.begin());
  }
  return grpc::Status::OK;
}

grpc::Status FakeMail::BeginMail(grpc::ServerContext*, const BeginMailRequest* request, BeginMailResponse* response) {
  const std::lock_guard lock(mutex_);
  if (failing_begins_ > 0) {
    --failing_begins_;
    return {grpc::StatusCode::UNAVAILABLE, "who has submitted cannot be told"};
  }
  for (const std::string& message : request->messages()) {
    MailItemResult& result = *response->add_results();
    result.set_message(message);
    result.set_result(cancelled_[message] ? MAIL_RESULT_CANCELLED : MAIL_RESULT_OK);
    if (!cancelled_[message]) begun_.push_back(message);
  }
  return grpc::Status::OK;
}

grpc::Status FakeMail::CompleteMail(grpc::ServerContext*, const CompleteMailRequest* request, CompleteMailResponse* response) {
  const std::lock_guard lock(mutex_);
  if (failing_completions_ > 0) {
    --failing_completions_;
    return {grpc::StatusCode::UNAVAILABLE, "not now"};
  }
  completions_.push_back(*request);
  for (const MailOutcome& outcome : request->outcomes()) {
    if (outcome.not_tried() && leased_.contains(outcome.message())) due_.push_back(leased_[outcome.message()]);
    *response->add_results() = ResultOf(outcome.message());
  }
  return grpc::Status::OK;
}

grpc::Status FakeMail::ReportDeliveryEvents(grpc::ServerContext*, const ReportDeliveryEventsRequest* request,
                                            ReportDeliveryEventsResponse* response) {
  const std::lock_guard lock(mutex_);
  for (const DeliveryEvent& event : request->events()) {
    events_.push_back(event);
    *response->add_results() = ResultOf(event.message());
  }
  return grpc::Status::OK;
}

grpc::Status FakeMail::GetMailStatus(grpc::ServerContext*, const GetMailStatusRequest*, GetMailStatusResponse* response) {
  const std::lock_guard lock(mutex_);
  StateCount& due = *response->add_steps()->add_states();
  due.set_state(MESSAGE_STATE_DUE);
  due.set_count(static_cast<int64_t>(due_.size()));
  return grpc::Status::OK;
}

grpc::Status FakeMail::PreviewMail(grpc::ServerContext*, const PreviewMailRequest*, PreviewMailResponse* response) {
  const std::lock_guard lock(mutex_);
  if (!due_.empty()) *response->mutable_content() = due_.front().content();
  return grpc::Status::OK;
}

}  // namespace peiling::ctl::testing
