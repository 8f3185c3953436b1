// Who writes in a draft, and what they may.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "peiling/access/v1/identity.pb.h"
#include "peiling/survey/v1/answers.pb.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/intake/drafts/keyed_locks.h"

namespace peiling::intake {

struct DraftWriter {
  // Identity.subject; empty: a service by itself.
  std::string subject;
  // Sections of the questionnaire they may write in, from 1; nullopt: all.
  std::optional<std::set<int>> sections = std::nullopt;
  // What they may, they may as a respondent alone: until the wave closes.
  bool respondent = false;
  // They have no part in this draft. Responses that came in whole are another matter.
  bool stranger = false;
  // Until when they wait for their turn.
  KeyedLocks::Deadline deadline = KeyedLocks::Deadline::max();

  bool MayWrite(const survey::CompiledQuestion& question) const { return !sections || sections->count(question.section) > 0; }
};

// What a caller may do with a response by its name. A service that calls on its own account may everything, as may administrators and
// researchers, of whom the gateway lets through what is theirs; respondents what their grants for this very response say. The key of a form
// that submits responses to a whole wave is for no draft.
DraftWriter WriterOf(const access::v1::Identity& caller, const std::string& response);
// The same of who makes a call, who waits until its deadline.
DraftWriter WriterOf(const grpc::ServerContext& context, const std::string& response);

// PERMISSION_DENIED/NOT_WITHIN_LIMITS (metadata: resource) of a stranger.
absl::Status CheckTakesPart(const DraftWriter& writer, const std::string& response);
// The same, and PERMISSION_DENIED/NOT_WHOLE_DRAFT when they may write in some sections only.
absl::Status CheckWhole(const DraftWriter& writer, const std::string& response);

// Leaves of personal answers those they may see.
void KeepVisible(const DraftWriter& writer, const survey::CompiledQuestionnaire& questionnaire, survey::v1::Answers& personal);

}  // namespace peiling::intake
