#include "services/intake/drafts/draft_merge.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/status/errors.h"
#include "services/intake/answers.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::RepeatedPtrField;
using ::peiling::survey::CompiledQuestionnaire;
using ::peiling::survey::QuestionIndex;
using ::peiling::survey::v1::Answer;
using ::peiling::survey::v1::Answers;
using ::peiling::survey::v1::MunicipalityAnswers;

// Where an answer belongs in the questionnaire; what it does not know comes last.
QuestionIndex PlaceOf(const CompiledQuestionnaire& questionnaire, const std::string& question) {
  const QuestionIndex index = questionnaire.Find(question);
  return index == survey::kNoQuestion ? std::numeric_limits<QuestionIndex>::max() : index;
}

// Moves the last item to its place among the others, which are in order.
template <typename Item, typename Less>
void SettleLast(RepeatedPtrField<Item>& items, const Less& less) {
  for (int i = items.size() - 1; i > 0 && less(items[i], items[i - 1]); --i) items.SwapElements(i, i - 1);
}

template <typename Answers>
auto FindAnswer(Answers& answers, const std::string& question) {
  return std::find_if(answers.begin(), answers.end(), [&](const Answer& answer) { return answer.question() == question; });
}

void Put(const CompiledQuestionnaire& questionnaire, Answer answer, RepeatedPtrField<Answer>& answers) {
  if (const auto found = FindAnswer(answers, answer.question()); found != answers.end()) {
    *found = std::move(answer);
    return;
  }
  *answers.Add() = std::move(answer);
  SettleLast(answers,
             [&](const Answer& a, const Answer& b) { return PlaceOf(questionnaire, a.question()) < PlaceOf(questionnaire, b.question()); });
}

void Remove(const std::string& question, RepeatedPtrField<Answer>& answers) {
  if (const auto found = FindAnswer(answers, question); found != answers.end()) answers.erase(found);
}

// The answers one municipality has of its own, if any.
const MunicipalityAnswers* FindOwn(const v1::Draft& draft, const std::string& municipality) {
  for (const MunicipalityAnswers& own : draft.municipality_answers()) {
    if (own.municipality() == municipality) return &own;
  }
  return nullptr;
}

RepeatedPtrField<Answer>& OwnOf(v1::Draft& draft, const std::string& municipality) {
  auto& all = *draft.mutable_municipality_answers();
  if (FindOwn(draft, municipality) == nullptr) {
    all.Add()->set_municipality(municipality);
    SettleLast(all, [](const auto& a, const auto& b) { return a.municipality() < b.municipality(); });
  }
  return *std::find_if(all.begin(), all.end(), [&](const auto& own) { return own.municipality() == municipality; })->mutable_answers();
}

// Who last changed a question; the end: nobody yet.
template <typename Changes>
auto FindChange(Changes& changes, const std::string& question, const std::string& municipality) {
  return std::find_if(changes.begin(), changes.end(), [&](const v1::QuestionChange& change) {
    return change.question() == question && change.municipality() == municipality;
  });
}

// The question of a change, in a draft.
class Spot {
 public:
  Spot(const v1::AnswerChange& change, const CompiledQuestionnaire& questionnaire)
      : questionnaire_(questionnaire),
        code_(change.answer().question()),
        municipality_(change.municipality()),
        personal_(questionnaire.questions()[questionnaire.Find(code_)].question->personal()) {}

  bool personal() const { return personal_; }

  // What stands there; nullopt: nothing, an answer without a value: that there is none for this municipality.
  std::optional<Answer> Read(const v1::Draft& draft, const Answers& personal) const {
    const MunicipalityAnswers* const own = municipality_.empty() ? nullptr : FindOwn(draft, municipality_);
    if (!municipality_.empty() && own == nullptr) return std::nullopt;
    const RepeatedPtrField<Answer>& answers = personal_ ? personal.answers() : own != nullptr ? own->answers() : draft.answers().answers();
    const auto found = FindAnswer(answers, code_);
    if (found == answers.end()) return std::nullopt;
    return *found;
  }

  void Write(std::optional<Answer> answer, v1::Draft& draft, Answers& personal) const {
    RepeatedPtrField<Answer>& answers = personal_               ? *personal.mutable_answers()
                                        : municipality_.empty() ? *draft.mutable_answers()->mutable_answers()
                                                                : OwnOf(draft, municipality_);
    if (answer) {
      Put(questionnaire_, *std::move(answer), answers);
    } else {
      Remove(code_, answers);
    }
    if (municipality_.empty() || !answers.empty()) return;
    auto& all = *draft.mutable_municipality_answers();
    all.erase(std::find_if(all.begin(), all.end(), [&](const auto& own) { return own.municipality() == municipality_; }));
  }

  // What a change wants to have there.
  std::optional<Answer> Wanted(const Answer& answer) const {
    Answers one;
    *one.add_answers() = answer;
    Normalise(questionnaire_, one);
    if (!one.answers().empty()) return one.answers(0);
    if (municipality_.empty() || answer.value_case() == Answer::VALUE_NOT_SET) return std::nullopt;
    return NoAnswer();
  }

  Answer NoAnswer() const {
    Answer none;
    none.set_question(code_);
    return none;
  }

  void Mark(const DraftSave& save, v1::Draft& draft) const {
    auto& changes = *draft.mutable_questions();
    if (const auto found = FindChange(changes, code_, municipality_); found != changes.end()) return Fill(save, *found);
    Fill(save, *changes.Add());
    SettleLast(changes, [this](const v1::QuestionChange& a, const v1::QuestionChange& b) {
      const QuestionIndex place_a = PlaceOf(questionnaire_, a.question()), place_b = PlaceOf(questionnaire_, b.question());
      return place_a != place_b ? place_a < place_b : a.municipality() < b.municipality();
    });
  }

  v1::AnswerHistory History(const std::optional<Answer>& before, const std::optional<Answer>& after) const {
    v1::AnswerHistory history;
    history.set_municipality(municipality_);
    history.set_personal(personal_);
    *history.mutable_before() = before && !personal_ ? *before : NoAnswer();
    *history.mutable_after() = after && !personal_ ? *after : NoAnswer();
    return history;
  }

 private:
  void Fill(const DraftSave& save, v1::QuestionChange& change) const {
    change.set_question(code_);
    change.set_municipality(municipality_);
    change.set_etag(DraftEtag(save.revision));
    *change.mutable_changed_at() = calendar::ToProto(save.now);
    change.set_changed_by(save.author);
  }

  const CompiledQuestionnaire& questionnaire_;
  const std::string& code_;
  const std::string& municipality_;
  const bool personal_;
};

bool Same(const std::optional<Answer>& a, const std::optional<Answer>& b) {
  return a.has_value() == b.has_value() && (!a || a->SerializeAsString() == b->SerializeAsString());
}

bool TypeFits(survey::v1::QuestionType type, const Answer& answer) {
  switch (answer.value_case()) {
    case Answer::VALUE_NOT_SET:
      return true;
    case Answer::kText:
      return type == survey::v1::QUESTION_TYPE_TEXT || answer.text().empty();
    case Answer::kNumber:
      return type == survey::v1::QUESTION_TYPE_NUMBER;
    case Answer::kDate:
      return type == survey::v1::QUESTION_TYPE_DATE;
    case Answer::kSelection:
      return type == survey::v1::QUESTION_TYPE_SINGLE || type == survey::v1::QUESTION_TYPE_MULTIPLE;
    case Answer::kGrid:
      return type == survey::v1::QUESTION_TYPE_MATRIX;
  }
  return false;
}

void CheckMunicipality(const v1::AnswerChange& change, const survey::v1::Question& question, const v1::Draft& draft,
                       const std::string& field, status::BadRequest& bad) {
  if (change.municipality().empty()) return;
  const auto& municipalities = draft.municipalities();
  if (std::find(municipalities.begin(), municipalities.end(), change.municipality()) == municipalities.end()) {
    bad.Add(field, absl::StrCat("\"", change.municipality(), "\", want one of ", absl::StrJoin(municipalities, ", "), ", or none"));
  } else if (question.personal()) {
    bad.Add(field, absl::StrCat("\"", question.code(), "\" has one answer for all municipalities; want none"));
  }
}

}  // namespace

absl::Status CheckChanges(const v1::SaveDraftRequest& request, const CompiledQuestionnaire& questionnaire, const v1::Draft& draft,
                          const DraftWriter& writer) {
  status::BadRequest bad;
  std::set<std::pair<std::string, std::string>> seen;
  std::vector<std::string> outside;
  for (int i = 0; i < request.changes_size(); ++i) {
    const v1::AnswerChange& change = request.changes(i);
    const std::string field = absl::StrCat("changes[", i, "]");
    const std::string& code = change.answer().question();
    const QuestionIndex index = questionnaire.Find(code);
    if (index == survey::kNoQuestion) {
      bad.Add(field + ".answer.question", absl::StrCat("\"", code, "\" is no question of this questionnaire"));
      continue;
    }
    const survey::CompiledQuestion& question = questionnaire.questions()[index];
    if (!writer.MayWrite(question)) outside.push_back(code);
    if (!TypeFits(question.question->type(), change.answer())) {
      bad.Add(field + ".answer", absl::StrCat("\"", code, "\" takes no answer of this type"));
    }
    if (question.question->role() == survey::v1::QUESTION_ROLE_MUNICIPALITY) {
      bad.Add(field + ".answer.question", absl::StrCat("\"", code, "\" names the municipalities, which are those of the draft"));
    }
    CheckMunicipality(change, *question.question, draft, field + ".municipality", bad);
    if (!seen.emplace(code, change.municipality()).second) bad.Add(field, absl::StrCat("\"", code, "\" is there twice"));
  }
  const auto sections = static_cast<int>(questionnaire.proto().sections_size());
  if (request.last_section() > sections) {
    bad.Add("last_section", absl::StrCat(request.last_section(), ", want at most ", sections));
  }
  if (!bad.empty()) return bad.ToStatus();
  if (outside.empty()) return absl::OkStatus();
  const std::string questions = absl::StrJoin(outside, ", ");
  return status::Error(absl::StatusCode::kPermissionDenied, "NOT_WITHIN_SECTIONS",
                       absl::StrCat("U kunt deze vragen niet invullen: ", questions, "."), {{"questions", questions}});
}

DraftMerge MergeChanges(const DraftSave& save, const CompiledQuestionnaire& questionnaire, v1::Draft& draft, Answers& personal) {
  DraftMerge merge;
  for (const v1::AnswerChange& change : save.changes) {
    const Spot spot(change, questionnaire);
    const std::optional<Answer> standing = spot.Read(draft, personal);
    std::optional<Answer> wanted = spot.Wanted(change.answer());
    if (Same(standing, wanted)) continue;
    const auto last = FindChange(draft.questions(), change.answer().question(), change.municipality());
    if (last != draft.questions().end() && !save.known.Knows(RevisionOf(last->etag()))) {
      merge.conflicts.push_back(ConflictWith(change, questionnaire, draft, personal));
      continue;
    }
    merge.changed.push_back(spot.History(standing, wanted));
    merge.personal_changed |= spot.personal();
    spot.Write(std::move(wanted), draft, personal);
    spot.Mark(save, draft);
  }
  return merge;
}

v1::AnswerConflict ConflictWith(const v1::AnswerChange& change, const CompiledQuestionnaire& questionnaire, const v1::Draft& draft,
                                const Answers& personal) {
  const Spot spot(change, questionnaire);
  v1::AnswerConflict conflict;
  *conflict.mutable_yours() = change;
  *conflict.mutable_theirs() = spot.Read(draft, personal).value_or(spot.NoAnswer());
  const auto last = FindChange(draft.questions(), change.answer().question(), change.municipality());
  if (last != draft.questions().end()) *conflict.mutable_change() = *last;
  return conflict;
}

}  // namespace peiling::intake
