#include "services/intake/drafts/draft_writer.h"

#include <algorithm>

#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"

namespace peiling::intake {
namespace {

bool IsOfficial(const access::v1::Grant& grant) {
  return grant.role() == access::v1::ROLE_ADMINISTRATOR || grant.role() == access::v1::ROLE_RESEARCHER;
}

// Whether a grant is for this response: an official's also with everything around it, a respondent's with nothing else.
bool Covers(const access::v1::Grant& grant, const std::string& response) {
  const auto& limits = grant.resources();
  if (grant.role() == access::v1::ROLE_RESPONDENT) return limits.size() == 1 && limits[0] == response;
  return IsOfficial(grant) && (limits.empty() || std::any_of(limits.begin(), limits.end(), [&](const std::string& limit) {
                                 return identity::LiesWithin(response, limit);
                               }));
}

}  // namespace

DraftWriter WriterOf(const access::v1::Identity& caller, const std::string& response) {
  DraftWriter writer{.subject = caller.subject()};
  if (caller.subject().empty()) return writer;
  writer.respondent = true;
  writer.stranger = true;
  writer.sections.emplace();
  for (const access::v1::Grant& grant : caller.grants()) {
    if (!Covers(grant, response)) continue;
    writer.stranger = false;
    if (IsOfficial(grant)) writer.respondent = false;
    if (IsOfficial(grant) || grant.sections().empty()) {
      writer.sections.reset();
    } else if (writer.sections) {
      writer.sections->insert(grant.sections().begin(), grant.sections().end());
    }
  }
  return writer;
}

DraftWriter WriterOf(const grpc::ServerContext& context, const std::string& response) {
  DraftWriter writer = WriterOf(identity::CallerOf(context), response);
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left < KeyedLocks::kLongestWait) writer.deadline = std::chrono::steady_clock::now() + left;
  return writer;
}

absl::Status CheckTakesPart(const DraftWriter& writer, const std::string& response) {
  if (!writer.stranger) return absl::OkStatus();
  return status::Error(absl::StatusCode::kPermissionDenied, "NOT_WITHIN_LIMITS", "the caller has no part in this draft",
                       {{"resource", response}});
}

absl::Status CheckWhole(const DraftWriter& writer, const std::string& response) {
  if (absl::Status status = CheckTakesPart(writer, response); !status.ok()) return status;
  if (!writer.sections) return absl::OkStatus();
  return status::Error(absl::StatusCode::kPermissionDenied, "NOT_WHOLE_DRAFT",
                       "U kunt een deel van de vragenlijst invullen; versturen, heropenen en intrekken kan alleen wie alles kan invullen.");
}

void KeepVisible(const DraftWriter& writer, const survey::CompiledQuestionnaire& questionnaire, survey::v1::Answers& personal) {
  if (!writer.sections) return;
  auto& answers = *personal.mutable_answers();
  const auto hidden = std::remove_if(answers.begin(), answers.end(), [&](const survey::v1::Answer& answer) {
    const survey::QuestionIndex index = questionnaire.Find(answer.question());
    return index == survey::kNoQuestion || !writer.MayWrite(questionnaire.questions()[index]);
  });
  answers.erase(hidden, answers.end());
}

}  // namespace peiling::intake
