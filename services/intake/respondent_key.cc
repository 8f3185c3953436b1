#include "services/intake/respondent_key.h"

#include <openssl/rand.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "services/common/hmac/hmac.h"
#include "services/common/text/fold.h"

namespace peiling::intake {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kKeyBytes = 16;

std::string NameOf(const survey::CompiledQuestionnaire& questionnaire, const survey::v1::Answers& answers) {
  const survey::QuestionIndex respondent = questionnaire.FindRole(survey::v1::QUESTION_ROLE_RESPONDENT);
  if (respondent == survey::kNoQuestion) return "";
  const std::string& code = questionnaire.questions()[respondent].question->code();
  for (const survey::v1::Answer& answer : answers.answers()) {
    if (answer.question() == code) return text::Fold(answer.text());
  }
  return "";
}

}  // namespace

std::string NewSecret() {
  std::string secret(kSecretBytes, '\0');
  // Without randomness there is no privacy, and no way to go on.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) != 1) std::abort();
  return secret;
}

std::string RespondentKey(std::string_view secret, const survey::CompiledQuestionnaire& questionnaire, const survey::v1::Answers& answers) {
  const std::string name = NameOf(questionnaire, answers);
  // Without a secret anybody could try names.
  if (name.empty() || secret.empty()) return "";
  return absl::BytesToHexString(hmac::Sha256(secret, name).substr(0, kKeyBytes));
}

std::string KeyedDigest(std::string_view secret, const std::string& digest) { return hmac::Sha256(secret, digest); }

}  // namespace peiling::intake
