#include "services/analytics/tabulation.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/analytics/figure.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

// The records of one column.
struct Slice {
  std::string code;
  std::string label;
  Bitmap records;
};

absl::StatusOr<Bitmap> Matching(const WaveIndex& index, const v1::Filter& filter, const Overlaps& overlaps) {
  switch (filter.on_case()) {
    case v1::Filter::kStratum:
      return RecordsOf(index, filter.stratum(), overlaps);
    case v1::Filter::kOption: {
      const auto place = FindOption(index.questionnaire(), filter.option());
      if (!place.ok()) return place.status();
      return Chosen(index, *place);
    }
    default: {
      if (filter.complete()) return index.Complete();
      Bitmap partial = index.All();
      return partial.AndNot(index.Complete());
    }
  }
}

absl::StatusOr<Bitmap> Select(const WaveIndex& index, const v1::TabulateRequest& request, const Overlaps& overlaps) {
  Bitmap selected = index.All();
  for (const auto& filter : request.filters()) {
    const auto records = Matching(index, filter, overlaps);
    if (!records.ok()) return records.status();
    selected &= *records;
  }
  return selected;
}

// Cuts the selected records into the columns of a breakdown, the total first.
class Slicer {
 public:
  Slicer(const WaveIndex& index, Bitmap selected) : index_(index) { slices_.push_back({"total", "Totaal", std::move(selected)}); }

  absl::StatusOr<std::vector<Slice>> By(const v1::Breakdown& by, const Overlaps& overlaps) && {
    absl::Status added;
    switch (by.by_case()) {
      case v1::Breakdown::kStratum:
        AddClasses(by.stratum() == v1::STRATUM_PROVINCE ? ClassKind::kProvince : ClassKind::kSizeClass);
        break;
      case v1::Breakdown::kQuestion:
        added = AddOptions(by.question());
        break;
      case v1::Breakdown::kGroup:
        added = AddGroup(by.group());
        break;
      case v1::Breakdown::kTookPartIn:
        added = AddParticipation(by.took_part_in(), overlaps);
        break;
      case v1::Breakdown::BY_NOT_SET:
        break;
    }
    if (!added.ok()) return added;
    return std::move(slices_);
  }

 private:
  void Add(std::string code, std::string label, Bitmap records) {
    slices_.push_back({std::move(code), std::move(label), std::move(records &= slices_.front().records)});
  }

  void AddWithOthers(const std::string& code, const std::string& label, const std::string& others_label, const Bitmap& records) {
    Add(code, label, records);
    Bitmap others = slices_.front().records;
    others.AndNot(records);
    Add("other", others_label, std::move(others));
  }

  void AddClasses(ClassKind kind) {
    const auto& classes = index_.frame().classes();
    for (size_t i = 0; i < classes.size(); ++i) {
      if (classes[i].kind == kind) Add(classes[i].code, classes[i].label, index_.OfClass(static_cast<int>(i)));
    }
  }

  absl::Status AddOptions(const std::string& code) {
    const auto question = FindQuestion(index_.questionnaire(), code);
    if (!question.ok()) return question.status();
    const auto& asked = *index_.questionnaire().questions()[*question].question;
    if (asked.type() != sv::QUESTION_TYPE_SINGLE && asked.type() != sv::QUESTION_TYPE_MULTIPLE) {
      status::BadRequest bad;
      bad.Add("by.question", absl::StrCat("\"", code, "\", want a single or multiple question"));
      return bad.ToStatus();
    }
    for (int option = 0; option < asked.options_size(); ++option) {
      Add(asked.options(option).code(), asked.options(option).label(), index_.Option(*question, option));
    }
    return absl::OkStatus();
  }

  absl::Status AddGroup(const std::string& group) {
    sv::StratumFilter members;
    members.set_group(group);
    const auto found = FindStratumClass(index_.frame(), members);
    if (!found.ok()) return found.status();
    AddWithOthers(group, group, absl::StrCat("Niet in ", group), index_.OfClass(*found));
    return absl::OkStatus();
  }

  absl::Status AddParticipation(const std::string& wave, const Overlaps& overlaps) {
    const auto overlap = FindOverlap(overlaps, wave);
    if (!overlap.ok()) return overlap.status();
    AddWithOthers(wave, absl::StrCat("Deed ook mee in ", wave), absl::StrCat("Deed niet mee in ", wave), index_.Of(**overlap));
    return absl::OkStatus();
  }

  const WaveIndex& index_;
  std::vector<Slice> slices_;
};

// Counts one question, or one row of a matrix (row ≥ 0).
class TableMaker {
 public:
  TableMaker(const WaveIndex& index, const std::vector<Slice>& slices) : index_(index), slices_(slices) {}

  void Make(int question, int row, v1::Table& table) const {
    const auto& asked = *index_.questionnaire().questions()[question].question;
    table.set_question(asked.code());
    table.set_title(asked.title());
    table.set_type(asked.type());
    if (row >= 0) {
      table.set_row(asked.rows(row).code());
      table.set_row_label(asked.rows(row).label());
    }
    for (const auto& slice : slices_) FillColumn(question, row, slice, *table.add_columns());
    for (int option = 0; option < asked.options_size(); ++option) {
      auto& line = *table.add_lines();
      line.set_code(asked.options(option).code());
      line.set_label(asked.options(option).label());
      for (int column = 0; column < table.columns_size(); ++column) {
        const int64_t k = CountAnd(Chosen(index_, {question, row, option}), slices_[column].records);
        *line.add_figures() = ToFigure({k, table.columns(column).n()});
      }
    }
  }

 private:
  void FillColumn(int question, int row, const Slice& slice, v1::Column& column) const {
    const auto count = [&](sv::QuestionState state) { return CountAnd(index_.State(question, state), slice.records); };
    column.set_code(slice.code);
    column.set_label(slice.label);
    column.set_records(slice.records.Count());
    column.set_n(count(sv::QUESTION_STATE_ANSWERED));
    column.set_skipped(count(sv::QUESTION_STATE_SKIPPED));
    column.set_not_asked(count(sv::QUESTION_STATE_NOT_ASKED));
    column.set_not_reached(count(sv::QUESTION_STATE_NOT_REACHED));
    column.set_kept_aside(CountAnd(index_.KeptAside(question), slice.records));
    if (row < 0) return;
    // Who answered other rows left this one open.
    const int64_t answered_question = column.n();
    column.set_n(CountAnd(index_.Row(question, row), slice.records));
    column.set_skipped(column.skipped() + answered_question - column.n());
  }

  const WaveIndex& index_;
  const std::vector<Slice>& slices_;
};

absl::StatusOr<std::vector<int>> QuestionsAskedFor(const survey::CompiledQuestionnaire& questionnaire, const v1::TabulateRequest& request) {
  std::vector<int> questions;
  if (request.questions().empty()) {
    for (size_t i = 0; i < questionnaire.questions().size(); ++i) {
      if (!questionnaire.questions()[i].question->personal()) questions.push_back(static_cast<int>(i));
    }
    return questions;
  }
  status::BadRequest bad;
  for (int i = 0; i < request.questions_size(); ++i) {
    const auto question = FindQuestion(questionnaire, request.questions(i));
    if (!question.ok()) return question.status();
    if (questionnaire.questions()[*question].question->personal()) {
      bad.Add(absl::StrCat("questions[", i, "]"),
              absl::StrCat("\"", request.questions(i), "\" is personal, want a question that is counted"));
    }
    questions.push_back(*question);
  }
  if (!bad.empty()) return bad.ToStatus();
  return questions;
}

}  // namespace

absl::Status Tabulate(const WaveIndex& index, const v1::TabulateRequest& request, const Overlaps& overlaps,
                      const std::function<bool()>& cancelled, v1::TabulateResponse& response) {
  const auto questions = QuestionsAskedFor(index.questionnaire(), request);
  if (!questions.ok()) return questions.status();
  auto selected = Select(index, request, overlaps);
  if (!selected.ok()) return selected.status();
  const auto slices = Slicer(index, *std::move(selected)).By(request.by(), overlaps);
  if (!slices.ok()) return slices.status();

  const TableMaker maker(index, *slices);
  for (const int question : *questions) {
    if (cancelled()) return absl::CancelledError("the caller is gone");
    const int rows = index.questionnaire().questions()[question].question->rows_size();
    if (rows == 0) maker.Make(question, -1, *response.add_tables());
    for (int row = 0; row < rows; ++row) maker.Make(question, row, *response.add_tables());
  }
  return absl::OkStatus();
}

}  // namespace peiling::analytics
