#include "services/dedup/case_policy.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/common/survey/municipality_answers.h"

namespace peiling::dedup {
namespace {

using intake::v1::Response;
using registry::v1::Resolution;
using survey::v1::Answer;

// An id in a resource name is at most 100 characters: fourteen codes with hyphens. What could be any of more is as good as unknown.
constexpr int kMaxCandidates = 14;

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& field) { return {field.begin(), field.end()}; }

std::string Sentence(const char* prefix, const v1::Ruling& ruling) {
  return absl::StrCat(prefix, " bij beslissing ", names::LastId(ruling.name()), ".");
}

// ---- Place: who is meant ----

void SetUnknown(const char* reason, Placement& placement) {
  placement.decision.set_disposition(v1::DISPOSITION_MUNICIPALITY_UNKNOWN);
  placement.decision.set_reason(reason);
}

// Takes part in the case of every one of `codes` that exists on the frame date.
void SetCases(const std::vector<std::string>& codes, const WaveSetup& setup, Placement& placement) {
  std::copy_if(codes.begin(), codes.end(), std::back_inserter(placement.cases), [&](const auto& code) { return setup.InFrame(code); });
  std::sort(placement.cases.begin(), placement.cases.end());
  placement.cases.erase(std::unique(placement.cases.begin(), placement.cases.end()), placement.cases.end());
  const auto& about = placement.cases.empty() ? codes : placement.cases;
  placement.decision.mutable_municipality_codes()->Assign(about.begin(), about.end());
  if (!placement.cases.empty()) return;
  placement.decision.set_disposition(v1::DISPOSITION_OUT_OF_FRAME);
  placement.decision.set_reason(absl::StrCat(absl::StrJoin(codes, ", "), " was op ", setup.frame_date, " geen gemeente."));
}

void SetAmbiguous(const Resolution& resolution, const WaveSetup& setup, Placement& placement) {
  std::vector<std::string> candidates = Strings(resolution.candidates());
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  if (candidates.size() < 2 || candidates.size() > kMaxCandidates) {
    return SetUnknown("De naam kan voor te veel gemeenten staan.", placement);
  }
  placement.cases = {absl::StrJoin(candidates, "-")};
  placement.decision.set_disposition(v1::DISPOSITION_AMBIGUOUS);
  placement.decision.set_reason(absl::StrCat("Kan voor ", setup.Titles(candidates, "of"), " zijn (", absl::StrJoin(candidates, ", "),
                                             "); een onderzoeker moet beslissen."));
}

void SetFormer(const Resolution& resolution, const WaveSetup& setup, Placement& placement) {
  *placement.decision.mutable_municipality_codes() = resolution.codes();
  placement.decision.set_disposition(v1::DISPOSITION_OUT_OF_FRAME);
  std::string reason = absl::StrCat(absl::StrJoin(resolution.titles(), ", "), " was op ", setup.frame_date, " geen gemeente");
  if (resolution.successors_size() > 0) absl::StrAppend(&reason, "; opgevolgd door ", setup.Titles(Strings(resolution.successors())));
  placement.decision.set_reason(absl::StrCat(reason, "."));
}

// The text itself is never repeated in a reason: decisions go into the feed, and people type anything into a field.
void PlaceByText(const Resolution& resolution, const WaveSetup& setup, Placement& placement) {
  *placement.decision.mutable_resolution() = resolution;
  switch (resolution.kind()) {
    case registry::v1::RESOLUTION_KIND_EXACT:
    case registry::v1::RESOLUTION_KIND_CORRECTED:
    case registry::v1::RESOLUTION_KIND_SEVERAL:
      if (resolution.codes_size() > 0) return SetCases(Strings(resolution.codes()), setup, placement);
      break;
    case registry::v1::RESOLUTION_KIND_AMBIGUOUS:
      return SetAmbiguous(resolution, setup, placement);
    case registry::v1::RESOLUTION_KIND_FORMER:
      return SetFormer(resolution, setup, placement);
    default:
      break;
  }
  SetUnknown(resolution.text().empty() ? "Er is geen gemeente ingevuld." : "Niet te zeggen voor welke gemeente dit is.", placement);
}

// Whether it is known whose it is from the invitation alone: nobody has answered anything yet that says something about the municipality.
bool OpenedOnly(const Response& response, const WaveSetup& setup) {
  if (response.municipalities().empty() || response.state() == intake::v1::RESPONSE_STATE_SUBMITTED) return false;
  const survey::QuestionIndex names = setup.questionnaire->FindRole(survey::v1::QUESTION_ROLE_MUNICIPALITY);
  const auto is_about_it = [&](const Answer& answer) {
    const survey::QuestionIndex index = setup.questionnaire->Find(answer.question());
    return index != survey::kNoQuestion && index != names && !setup.questionnaire->questions()[index].question->personal();
  };
  const auto& answers = response.answers().answers();
  return response.municipality_answers().empty() && std::none_of(answers.begin(), answers.end(), is_about_it);
}

void SetFinal(v1::Disposition disposition, std::string reason, Placement& placement) {
  placement.competes = false;
  placement.decision.set_disposition(disposition);
  placement.decision.set_reason(std::move(reason));
}

// ---- DecideCase: which is kept ----

bool Submitted(const Response& response) { return response.state() == intake::v1::RESPONSE_STATE_SUBMITTED; }

// What a response says about one municipality.
survey::v1::Answers AnswersFor(const std::string& code, const Response& response, const WaveSetup& setup) {
  return survey::AnswersFor(code, response.answers(), response.municipality_answers(), *setup.questionnaire);
}

survey::Assessment Assess(const Response& response, const survey::v1::Answers& answers, const WaveSetup& setup) {
  survey::Assessment assessment;
  setup.questionnaire->Assess(answers, Submitted(response), response.last_section(), assessment);
  return assessment;
}

using HowComplete = std::pair<bool, int>;

// How complete each member of a case is: whether it was submitted, and how many questions it answers. One that says different things of its
// municipalities is known to be as complete as the least complete of them, so with such a one in the case all are measured by what they say
// about this one: without personal answers, which are not known here.
std::vector<HowComplete> Completeness(const std::string& code, const std::vector<Member>& members, const WaveSetup& setup) {
  const bool apart = std::any_of(members.begin(), members.end(), [](const Member& member) {
    return member.placement->competes && member.submission->response.municipality_answers_size() > 0;
  });
  std::vector<HowComplete> completeness;
  for (const Member& member : members) {
    const Response& response = member.submission->response;
    const int answered =
        apart ? Assess(response, AnswersFor(code, response, setup), setup).completeness.answered() : response.completeness().answered();
    completeness.emplace_back(Submitted(response), answered);
  }
  return completeness;
}

std::pair<int64_t, int32_t> Time(const google::protobuf::Timestamp& time) { return {time.seconds(), time.nanos()}; }

// The best response has the greatest rank; no two have the same one. A longer id is a later one: 101 comes after 99.
auto Rank(const Response& response, const HowComplete& complete) {
  return std::make_tuple(complete, Time(response.has_submitted_at() ? response.submitted_at() : response.updated_at()),
                         Time(response.started_at()), response.name().size(), std::string_view(response.name()));
}

// Index of the kept member and the ruling that says so, if one does.
std::pair<int, const v1::Ruling*> FindKept(const std::string& code, const std::vector<Member>& members,
                                           const std::vector<HowComplete>& complete, const Rulings& rulings) {
  int kept = -1;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!members[i].placement->competes) continue;
    const Response& response = members[i].submission->response;
    if (const v1::Ruling* ruling = rulings.Keep(response.name(), code)) return {static_cast<int>(i), ruling};
    if (kept < 0 || Rank(response, complete[i]) > Rank(members[kept].submission->response, complete[kept])) kept = static_cast<int>(i);
  }
  return {kept, nullptr};
}

void DecideKept(const std::string& code, bool alone, const v1::Ruling* ruling, const WaveSetup& setup, v1::Decision& decision) {
  decision.set_disposition(v1::DISPOSITION_KEPT);
  decision.add_kept_for(code);
  if (ruling != nullptr) decision.set_ruling(ruling->name());
  decision.set_reason(ruling != nullptr ? Sentence("Gekozen", *ruling)
                                        : absl::StrCat(alone ? "De enige vragenlijst van " : "De meest volledige vragenlijst van ",
                                                       setup.Title(code), "."));
}

void DecideDuplicate(const Response& response, const Response& kept, bool equally_complete, const v1::Ruling* ruling,
                     v1::Decision& decision) {
  const bool same_person = !response.respondent_key().empty() && response.respondent_key() == kept.respondent_key();
  decision.set_disposition(same_person ? v1::DISPOSITION_RESTART : v1::DISPOSITION_COLLEAGUE_DUPLICATE);
  decision.set_superseded_by(kept.name());
  decision.set_equally_complete(equally_complete);
  if (ruling != nullptr) decision.set_ruling(ruling->name());
  const std::string why = ruling != nullptr  ? absl::StrCat("is gekozen bij beslissing ", names::LastId(ruling->name()))
                          : equally_complete ? "is even volledig en van later"
                                             : "is vollediger";
  decision.set_reason(
      absl::StrCat(same_person ? "Dezelfde persoon begon opnieuw; vragenlijst " : "Van een collega is er ook een; vragenlijst ",
                   names::LastId(kept.name()), " ", why, "."));
}

// ---- Contradictions ----

bool SameCodes(const google::protobuf::RepeatedPtrField<std::string>& a, const google::protobuf::RepeatedPtrField<std::string>& b) {
  return std::is_permutation(a.begin(), a.end(), b.begin(), b.end());
}

bool SameCells(const survey::v1::Grid& a, const survey::v1::Grid& b) {
  return std::is_permutation(a.cells().begin(), a.cells().end(), b.cells().begin(), b.cells().end(),
                             [](const auto& x, const auto& y) { return x.row() == y.row() && x.option() == y.option(); });
}

// Texts beside the choices are left out: two colleagues never write the same words.
bool SaysTheSame(const Answer* a, const Answer* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (a->value_case() != b->value_case()) return false;
  switch (a->value_case()) {
    case Answer::kNumber:
      return a->number() == b->number();
    case Answer::kDate:
      return a->date() == b->date();
    case Answer::kSelection:
      return SameCodes(a->selection().codes(), b->selection().codes());
    case Answer::kGrid:
      return SameCells(a->grid(), b->grid());
    default:
      return true;
  }
}

v1::Contradiction Compare(const std::string& code, const Response& kept, const Response& other, const WaveSetup& setup) {
  v1::Contradiction contradiction;
  contradiction.set_kept(kept.name());
  contradiction.set_other(other.name());
  // What is assessed points into these.
  const survey::v1::Answers kept_answers = AnswersFor(code, kept, setup);
  const survey::v1::Answers other_answers = AnswersFor(code, other, setup);
  const survey::Assessment of_kept = Assess(kept, kept_answers, setup);
  const survey::Assessment of_other = Assess(other, other_answers, setup);
  const auto& questions = setup.questionnaire->questions();
  for (size_t i = 0; i < questions.size(); ++i) {
    const survey::v1::Question& question = *questions[i].question;
    if (question.personal() || question.type() == survey::v1::QUESTION_TYPE_TEXT) continue;
    const auto counted = [i](const survey::Assessment& of) {
      return of.states[i] == survey::v1::QUESTION_STATE_ANSWERED ? of.answers[i] : nullptr;
    };
    const Answer* a = counted(of_kept);
    const Answer* b = counted(of_other);
    if (SaysTheSame(a, b)) continue;
    v1::ContradictingAnswer& difference = *contradiction.add_answers();
    difference.set_question(question.code());
    if (a != nullptr) *difference.mutable_kept() = *a;
    if (b != nullptr) *difference.mutable_other() = *b;
  }
  return contradiction;
}

bool ConsentsPublicData(const survey::v1::Answers& answers, const WaveSetup& setup) {
  const survey::QuestionIndex index = setup.questionnaire->FindRole(survey::v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA);
  if (index == survey::kNoQuestion) return false;
  const survey::CompiledQuestion& question = setup.questionnaire->questions()[index];
  for (const Answer& answer : answers.answers()) {
    if (answer.question() != question.question->code()) continue;
    for (const std::string& code : answer.selection().codes()) {
      const int option = question.OptionOf(code);
      if (option >= 0 && question.question->options(option).consents()) return true;
    }
  }
  return false;
}

}  // namespace

Placement Place(const Submission& submission, const Rulings& rulings, const WaveSetup& setup) {
  const Response& response = submission.response;
  Placement placement;
  v1::Decision& decision = placement.decision;
  decision.set_response(response.name());
  decision.set_answered(response.completeness().answered());
  if (response.has_started_at()) *decision.mutable_started_at() = response.started_at();
  if (response.has_submitted_at()) *decision.mutable_submitted_at() = response.submitted_at();

  if (const v1::Ruling* assignment = rulings.Assignment(response.name())) {
    decision.set_ruling(assignment->name());
    SetCases(AssignedCodes(*assignment), setup, placement);
  } else if (response.municipalities_size() > 0) {
    SetCases(Strings(response.municipalities()), setup, placement);
  } else {
    PlaceByText(submission.resolution, setup, placement);
  }
  placement.competes = decision.disposition() == v1::DISPOSITION_UNSPECIFIED;

  if (response.state() == intake::v1::RESPONSE_STATE_WITHDRAWN) {
    SetFinal(v1::DISPOSITION_WITHDRAWN, "Ingetrokken door de respondent.", placement);
  } else if (const v1::Ruling* exclusion = rulings.Exclusion(response.name())) {
    SetFinal(v1::DISPOSITION_EXCLUDED, Sentence("Uitgesloten", *exclusion), placement);
    decision.set_ruling(exclusion->name());
  } else if (response.test()) {
    SetFinal(v1::DISPOSITION_TEST, "Een proef.", placement);
  } else if (OpenedOnly(response, setup)) {
    SetFinal(v1::DISPOSITION_EMPTY, "De uitnodiging is geopend; er is nog niets ingevuld.", placement);
  }
  return placement;
}

CaseOutcome DecideCase(const std::string& case_id, const std::vector<Member>& members, const Rulings& rulings, const WaveSetup& setup) {
  CaseOutcome outcome;
  const std::vector<HowComplete> complete = Completeness(case_id, members, setup);
  const auto [kept, ruling] = FindKept(case_id, members, complete, rulings);
  const auto competing = std::count_if(members.begin(), members.end(), [](const Member& member) { return member.placement->competes; });
  outcome.kept = kept;
  if (kept >= 0) outcome.state = v1::CASE_STATE_DECIDED;
  for (size_t i = 0; i < members.size(); ++i) {
    const Response& response = members[i].submission->response;
    v1::Decision& decision = outcome.decisions.emplace_back(members[i].placement->decision);
    if (decision.disposition() == v1::DISPOSITION_AMBIGUOUS) outcome.state = v1::CASE_STATE_WAITING;
    if (!members[i].placement->competes) continue;
    if (static_cast<int>(i) == kept) {
      DecideKept(case_id, competing == 1, ruling, setup, decision);
      continue;
    }
    const Response& better = members[kept].submission->response;
    DecideDuplicate(response, better, complete[i] == complete[kept], ruling, decision);
    if (!decision.equally_complete()) continue;
    v1::Contradiction contradiction = Compare(case_id, better, response, setup);
    if (contradiction.answers_size() > 0) outcome.contradictions.push_back(std::move(contradiction));
  }
  return outcome;
}

v1::Decision Combine(const Placement& placement, const std::vector<const v1::Decision*>& by_case, const WaveSetup& setup) {
  if (!placement.competes || by_case.empty()) return placement.decision;
  const auto kept =
      std::find_if(by_case.begin(), by_case.end(), [](const v1::Decision* decision) { return decision->kept_for_size() > 0; });
  v1::Decision combined = kept == by_case.end() ? *by_case.front() : **kept;
  combined.clear_kept_for();
  for (const v1::Decision* decision : by_case) combined.mutable_kept_for()->MergeFrom(decision->kept_for());
  if (combined.kept_for_size() > 1) combined.set_reason(absl::StrCat("Staat voor ", setup.Titles(Strings(combined.kept_for())), " samen."));
  return combined;
}

v1::Record MakeRecord(const std::string& municipality_code, const Response& response, const v1::Decision& decision,
                      const WaveSetup& setup) {
  v1::Record record;
  record.set_name(absl::StrCat(setup.wave, "/records/", municipality_code));
  record.set_municipality_code(municipality_code);
  record.set_response(response.name());
  for (const std::string& code : decision.kept_for()) {
    if (code != municipality_code) record.add_joint_with(code);
  }
  record.set_complete(Submitted(response));
  const survey::v1::Answers answers = AnswersFor(municipality_code, response, setup);
  for (const Answer& answer : answers.answers()) {
    // Intake leaves personal answers out already; an answer the questionnaire does not know might be one.
    const survey::QuestionIndex index = setup.questionnaire->Find(answer.question());
    if (index == survey::kNoQuestion || setup.questionnaire->questions()[index].question->personal()) continue;
    *record.mutable_answers()->add_answers() = answer;
  }
  record.set_last_section(response.last_section());
  record.set_consents_public_data(ConsentsPublicData(answers, setup));
  return record;
}

std::vector<std::string> CodesOfCase(const std::string& case_id) { return absl::StrSplit(case_id, '-'); }

}  // namespace peiling::dedup
