// One filled-in questionnaire, laid out; shared by `records show` and `responses show`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "peiling/survey/v1/answers.pb.h"
#include "services/ctl/session.h"

namespace peiling::ctl {

// Facts as "key: value" (those without value are left out), then the answers with the labels of the wave's questionnaire. JSON: `whole`.
absl::StatusOr<ExitCode> ShowAnswers(Session& session, const std::vector<std::pair<std::string, std::string>>& facts,
                                     const google::protobuf::Message& whole, const survey::v1::Answers& answers);

}  // namespace peiling::ctl
