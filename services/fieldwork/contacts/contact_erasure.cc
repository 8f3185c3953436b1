#include "services/fieldwork/contacts/contact_erasure.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"

namespace peiling::fieldwork {
namespace {

// The same for a repeat, so that intake answers it again.
std::string RequestIdOf(intake::v1::ErasePersonalAnswersRequest request, const std::string& request_id) {
  request.set_request_id(request_id);
  return absl::StrCat("contact-", absl::BytesToHexString(storage::RequestDigest(request)).substr(0, 32));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ContactErasure::EraseAnswers(const v1::EraseContactRequest& request,
                                                                      const MakeContext& make_context) {
  const auto responses = uses_.ResponsesOf(request.name());
  if (!responses.ok()) return responses.status();
  std::vector<std::string> erased;
  for (const std::string& response : *responses) {
    intake::v1::ErasePersonalAnswersRequest erase;
    erase.set_name(response);
    erase.set_reason(request.reason());
    erase.set_request_id(RequestIdOf(erase, request.request_id()));
    intake::v1::ErasePersonalAnswersResponse answer;
    const absl::Status done = status::FromGrpc(intake_.ErasePersonalAnswers(make_context().get(), erase, &answer));
    // Who was invited need not have answered.
    if (absl::IsNotFound(done)) continue;
    if (!done.ok()) return done;
    erased.push_back(response);
  }
  return erased;
}

absl::StatusOr<v1::EraseContactResponse> ContactErasure::Erase(const v1::EraseContactRequest& request, const std::string& caller,
                                                               const MakeContext& make_context) {
  auto done = contacts_.Erased(request);
  if (!done.ok()) return done.status();
  if (*done) return **std::move(done);
  const auto contact = contacts_.Get(request.name());
  if (!contact.ok()) return contact.status();
  const absl::StatusOr<std::vector<std::string>> responses =
      request.keep_answers() ? std::vector<std::string>() : EraseAnswers(request, make_context);
  if (!responses.ok()) return responses.status();
  if (absl::Status forgotten = forget_(contact->email()); !forgotten.ok()) return forgotten;
  auto answer = contacts_.Erase(request, caller, *responses);
  if (answer.ok()) {
    // Why is for intake's record: people write whom it is about, whatever they are told.
    log::Info("erased a contact", {{"contact", request.name()}, {"by", caller}, {"responses", absl::StrCat(responses->size())}});
  }
  return answer;
}

}  // namespace peiling::fieldwork
