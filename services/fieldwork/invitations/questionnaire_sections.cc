#include "services/fieldwork/invitations/questionnaire_sections.h"

#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

// Waves are few, and each has one questionnaire that rarely changes.
constexpr size_t kMostKept = 1000;

}  // namespace

absl::StatusOr<int> QuestionnaireSections::Count(const intake::v1::Wave& wave, grpc::ClientContext& context) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = counts_.find(wave.questionnaire_fingerprint()); known != counts_.end()) return known->second;
  }
  intake::v1::GetQuestionnaireRequest request;
  request.set_name(wave.questionnaire());
  intake::v1::GetQuestionnaireResponse response;
  const grpc::Status asked = intake_.GetQuestionnaire(&context, request, &response);
  if (!asked.ok()) return status::FromGrpc(asked);
  const int count = response.questionnaire().sections_size();
  const std::lock_guard lock(mutex_);
  if (counts_.size() >= kMostKept) counts_.clear();
  counts_[response.fingerprint()] = count;
  return count;
}

}  // namespace peiling::fieldwork
