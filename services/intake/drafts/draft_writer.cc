#include "services/intake/drafts/draft_writer.h"

#include <algorithm>

#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"

namespace peiling::intake {
namespace {

bool Covers(const access::v1::Grant& grant, const std::string& response) {
  const auto& limits = grant.resources();
  return limits.empty() ||
         std::any_of(limits.begin(), limits.end(), [&](const std::string& limit) { return identity::LiesWithin(response, limit); });
}

}  // namespace

DraftWriter WriterOf(const access::v1::Identity& caller, const std::string& response) {
  DraftWriter writer{.subject = caller.subject()};
  if (caller.subject().empty()) return writer;
  writer.respondent = true;
  writer.sections.emplace();
  for (const access::v1::Grant& grant : caller.grants()) {
    if (!Covers(grant, response)) continue;
    const bool official = grant.role() == access::v1::ROLE_ADMINISTRATOR || grant.role() == access::v1::ROLE_RESEARCHER;
    if (official) writer.respondent = false;
    if (official || (grant.role() == access::v1::ROLE_RESPONDENT && grant.sections().empty())) {
      writer.sections.reset();
    } else if (grant.role() == access::v1::ROLE_RESPONDENT && writer.sections) {
      writer.sections->insert(grant.sections().begin(), grant.sections().end());
    }
  }
  return writer;
}

absl::Status CheckWhole(const DraftWriter& writer) {
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
