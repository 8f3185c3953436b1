#include "services/common/survey/read_questionnaire.h"

#include "services/common/survey/check_questionnaire.h"

namespace peiling::survey {
namespace {

using yaml::Need;

const yaml::Words<v1::QuestionType> kTypes = {
    {"text", v1::QUESTION_TYPE_TEXT},     {"number", v1::QUESTION_TYPE_NUMBER},     {"date", v1::QUESTION_TYPE_DATE},
    {"single", v1::QUESTION_TYPE_SINGLE}, {"multiple", v1::QUESTION_TYPE_MULTIPLE}, {"matrix", v1::QUESTION_TYPE_MATRIX},
};

const yaml::Words<v1::QuestionRole> kRoles = {
    {"municipality", v1::QUESTION_ROLE_MUNICIPALITY},       {"respondent", v1::QUESTION_ROLE_RESPONDENT},
    {"size_class", v1::QUESTION_ROLE_SIZE_CLASS},           {"consent_public_data", v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA},
    {"consent_contact", v1::QUESTION_ROLE_CONSENT_CONTACT},
};

const yaml::Words<v1::ComparabilityStatus> kStatuses = {
    {"same", v1::COMPARABILITY_STATUS_SAME},
    {"comparable", v1::COMPARABILITY_STATUS_COMPARABLE},
    {"broken", v1::COMPARABILITY_STATUS_BROKEN},
};

// One item of a list of the message.
std::string Item(const std::string& path, std::string_view list, int index) {
  return absl::StrCat(path, ".", std::string(list), "[", index, "]");
}

void ReadComparability(yaml::Map& map, google::protobuf::RepeatedPtrField<v1::Comparability>& statements) {
  for (const auto& [wave, statement] : map.Entries("comparability")) {
    yaml::Map fields(*statement, Item(map.path(), "comparability", statements.size()), map.document());
    v1::Comparability& added = *statements.Add();
    added.set_wave(wave->text);
    added.set_status(fields.Word("status", kStatuses, Need::kRequired));
    added.set_reason(fields.Text("reason"));
    fields.Finish();
  }
}

void ReadInhabitants(yaml::Map& map, v1::Option& option) {
  const yaml::TreeNode* node = map.Find("inhabitants");
  if (node == nullptr) return;
  yaml::Map range(*node, map.path() + ".inhabitants_from", map.document());
  if (const auto from = range.Integer("from")) option.set_inhabitants_from(*from);
  if (const auto to = range.Integer("to")) option.set_inhabitants_to(*to);
  range.Finish();
}

void ReadOption(yaml::Map& map, v1::Option& option) {
  option.set_code(map.Text("code", Need::kRequired));
  option.set_label(map.Text("label", Need::kRequired));
  option.set_comment(map.Flag("comment"));
  option.set_consents(map.Flag("consents"));
  ReadInhabitants(map, option);
  ReadComparability(map, *option.mutable_comparability());
  map.Finish();
}

void ReadRow(yaml::Map& map, v1::Row& row) {
  row.set_code(map.Text("code", Need::kRequired));
  row.set_label(map.Text("label", Need::kRequired));
  map.Finish();
}

// `other: true` adds the last option, in the questionnaire's language.
void ReadOther(yaml::Map& map, const std::string& language, v1::Question& question) {
  if (!map.Flag("other")) return;
  const bool dutch = language == "nl" || language.rfind("nl-", 0) == 0;
  map.document().Remember(Item(map.path(), "options", question.options_size()), map.Find("other")->place);
  v1::Option& option = *question.add_options();
  option.set_code(dutch ? "anders" : "other");
  option.set_label(dutch ? "Anders, namelijk" : "Other, namely");
  question.set_other_code(option.code());
}

void ReadExclusive(yaml::Map& map, v1::Question& question) {
  for (const yaml::TreeNode* code : map.Texts("exclusive")) {
    bool found = false;
    for (int i = 0; i < question.options_size(); ++i) {
      v1::Option& option = *question.mutable_options(i);
      if (option.code() != code->text) continue;
      option.set_exclusive(true);
      map.document().Remember(Item(map.path(), "options", i) + ".exclusive", code->place);
      found = true;
    }
    if (!found) map.document().Fail(code->place, "\"", code->text, "\" is not an option of this question");
  }
}

// `max` is the most options of a multiple question, and the largest number of a number question.
void ReadBounds(yaml::Map& map, v1::Question& question) {
  if (question.type() == v1::QUESTION_TYPE_NUMBER) {
    if (const auto minimum = map.Number("min", "minimum")) question.set_minimum(*minimum);
    if (const auto maximum = map.Number("max", "maximum")) question.set_maximum(*maximum);
    return;
  }
  const auto most = map.Integer("max", "max_choices");
  if (!most.has_value()) return;
  if (*most < 1 || *most > 1000) map.document().Fail(map.Find("max", Need::kOptional, "max_choices")->place, "want 1 or more");
  question.set_max_choices(static_cast<int>(*most));
}

void ReadQuestion(yaml::Map& map, const std::string& language, v1::Question& question) {
  question.set_code(map.Text("code", Need::kRequired));
  question.set_type(map.Word("type", kTypes, Need::kRequired));
  question.set_title(map.Text("title", Need::kRequired));
  question.set_ask(map.Text("ask"));
  question.set_required(map.Flag("required"));
  question.set_personal(map.Flag("personal"));
  question.set_role(map.Word("role", kRoles));
  question.set_coded(map.Flag("coded"));
  for (const yaml::NodePtr& node : map.List("rows")) {
    yaml::Map row(*node, Item(map.path(), "rows", question.rows_size()), map.document());
    ReadRow(row, *question.add_rows());
  }
  for (const yaml::NodePtr& node : map.List("options")) {
    yaml::Map option(*node, Item(map.path(), "options", question.options_size()), map.document());
    ReadOption(option, *question.add_options());
  }
  ReadOther(map, language, question);
  ReadExclusive(map, question);
  ReadBounds(map, question);
  ReadComparability(map, *question.mutable_comparability());
  map.Finish();
}

void ReadSection(yaml::Map& map, const std::string& language, v1::Section& section) {
  section.set_title(map.Text("title", Need::kRequired));
  section.set_ask(map.Text("ask"));
  for (const yaml::NodePtr& node : map.List("questions", Need::kRequired)) {
    yaml::Map question(*node, Item(map.path(), "questions", section.questions_size()), map.document());
    ReadQuestion(question, language, *section.add_questions());
  }
  map.Finish();
}

}  // namespace

v1::Questionnaire ReadQuestionnaire(yaml::Map& map, std::string version) {
  v1::Questionnaire questionnaire;
  questionnaire.set_version(std::move(version));
  questionnaire.set_language(map.Text("language", Need::kRequired));
  for (const yaml::NodePtr& node : map.List("sections", Need::kRequired)) {
    yaml::Map section(*node, absl::StrCat("sections[", questionnaire.sections_size(), "]"), map.document());
    ReadSection(section, questionnaire.language(), *questionnaire.add_sections());
  }
  for (const Finding& finding : CheckQuestionnaire(questionnaire)) {
    const yaml::Place place = map.document().PlaceOf(finding.field);
    // What could not be read has been told; the check would tell it again in other words.
    if (finding.error && !map.document().FailedAt(place)) map.document().Fail(place, finding.message);
  }
  return questionnaire;
}

}  // namespace peiling::survey
