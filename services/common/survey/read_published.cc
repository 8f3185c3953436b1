#include "services/common/survey/read_published.h"

#include <set>

#include "services/common/names/resource_names.h"

namespace peiling::survey {

const yaml::Words<v1::SizeClass> kSizeClasses = {
    {"under_50k", v1::SIZE_CLASS_UNDER_50K},
    {"50k_to_100k", v1::SIZE_CLASS_50K_TO_100K},
    {"100k_to_200k", v1::SIZE_CLASS_100K_TO_200K},
    {"200k_and_over", v1::SIZE_CLASS_200K_AND_OVER},
};

namespace {

using yaml::Need;

using Kind = yaml::TreeNode::Kind;

const yaml::Words<v1::FieldworkCount> kFieldwork = {
    {"municipalities", v1::FIELDWORK_COUNT_MUNICIPALITIES},
    {"started", v1::FIELDWORK_COUNT_STARTED},
    {"usable", v1::FIELDWORK_COUNT_USABLE},
    {"complete", v1::FIELDWORK_COUNT_COMPLETE},
    {"partial", v1::FIELDWORK_COUNT_PARTIAL},
    {"joint_questionnaires", v1::FIELDWORK_COUNT_JOINT_QUESTIONNAIRES},
    {"kept", v1::FIELDWORK_COUNT_KEPT},
};

class Reader {
 public:
  explicit Reader(yaml::Map& map) : map_(map), document_(map.document()) {}

  v1::PublishedReport Run() {
    report_.set_source(map_.Text("source", Need::kRequired));
    for (const yaml::NodePtr& node : map_.List("figures")) ReadFigure(yaml::Map(*node, "figures", document_));
    for (const auto& [question, node] : map_.Entries("questions")) ReadQuestion(question->text, yaml::Map(*node, "questions", document_));
    for (const auto& [question, node] : map_.Entries("matrices")) ReadMatrix(question->text, yaml::Map(*node, "matrices", document_));
    for (const auto& [id, node] : map_.Entries("trends")) ReadTrend(*id, yaml::Map(*node, "trends", document_));
    for (const yaml::NodePtr& node : map_.List("claims")) ReadClaim(yaml::Map(*node, "claims", document_));
    return std::move(report_);
  }

 private:
  void ReadFigure(yaml::Map map) {
    v1::PublishedFigure& figure = *report_.add_figures();
    figure.set_id(Id(map));
    ReadMeasure(map, *figure.mutable_measure());
    if (const yaml::TreeNode* percent = map.Find("percent")) figure.set_percent(Percent(*percent));
    if (const auto count = map.Integer("count")) figure.set_count(*count);
    if (const auto base = map.Integer("base")) figure.set_base(*base);
    figure.set_slip(map.Flag("slip"));
    figure.set_note(map.Text("note"));
    figure.set_contradiction(map.Text("contradiction"));
    if (!figure.has_percent() && !figure.has_count()) document_.Fail(map.node().place, "want percent, count or both");
    map.Finish();
  }

  void ReadMeasure(yaml::Map& map, v1::Measure& measure) {
    if (const yaml::TreeNode* node = map.Find("of", Need::kRequired)) ReadCount(*node, *measure.mutable_count());
    if (const yaml::TreeNode* node = map.Find("out_of")) ReadCount(*node, *measure.mutable_base());
    for (const yaml::NodePtr& node : map.List("strata")) ReadStratum(yaml::Map(*node, "strata", document_), *measure.add_strata());
    for (const yaml::NodePtr& node : map.List("count_strata"))
      ReadStratum(yaml::Map(*node, "count_strata", document_), *measure.add_count_strata());
  }

  void ReadCount(const yaml::TreeNode& node, v1::Count& count) {
    yaml::Map map(node, "of", document_);
    if (map.Find("fieldwork") != nullptr) {
      count.set_fieldwork(map.Word("fieldwork", kFieldwork));
    } else if (map.Find("also_in_wave") != nullptr) {
      count.set_also_in_wave(map.Id("also_in_wave"));
    } else {
      ReadOption(map, *count.mutable_option());
    }
    map.Finish();
  }

  void ReadOption(yaml::Map& map, v1::OptionCount& option) {
    option.set_question(map.Text("question", Need::kRequired));
    option.set_row(map.Text("row"));
    option.set_option(map.Text("option", Need::kRequired));
  }

  void ReadStratum(yaml::Map map, v1::StratumFilter& stratum) {
    if (map.Find("size_class") != nullptr) stratum.set_size_class(map.Word("size_class", kSizeClasses));
    if (map.Find("province") != nullptr) stratum.set_province(map.Text("province"));
    if (map.Find("group") != nullptr) stratum.set_group(map.Text("group"));
    if (map.Find("took_part_in") != nullptr) stratum.set_took_part_in(map.Id("took_part_in"));
    stratum.set_except(map.Flag("except"));
    if (map.node().entries.size() != (stratum.except() ? 2u : 1u))
      document_.Fail(map.node().place, "want one of size_class, province, group, took_part_in");
    map.Finish();
  }

  // {n: 90, percent: {ja: 80}, slip: [ja], notes: {ja: "…"}}
  void ReadQuestion(const std::string& question, yaml::Map map) {
    const auto base = map.Integer("n");
    for (const auto& [option, percent] : map.Entries("percent")) AddFigure(question, "", option->text, Percent(*percent), base);
    for (const yaml::TreeNode* option : map.Texts("slip")) {
      if (v1::PublishedFigure* figure = FigureOf(absl::StrCat(question, ".", option->text), *option)) figure->set_slip(true);
    }
    ReadNotes(question, map);
    map.Finish();
  }

  // {n: 64, columns: [deel, afspraken], rows: {welzijn: [38, 38]}} or rows: {welzijn: {deel: 38}}; notes: {welzijn.deel: "…"}
  void ReadMatrix(const std::string& question, yaml::Map map) {
    const auto base = map.Integer("n");
    const std::vector<const yaml::TreeNode*> columns = map.Texts("columns");
    for (const auto& [row, cells] : map.Entries("rows")) {
      if (cells->kind == Kind::kMap) {
        for (const auto& [option, percent] : cells->entries) AddFigure(question, row->text, option->text, Percent(*percent), base);
      } else if (cells->items.size() != columns.size()) {
        document_.Fail(cells->place, "want a percentage for each of the columns (", columns.size(), "), or options with theirs");
      } else {
        for (size_t i = 0; i < columns.size(); ++i) AddFigure(question, row->text, columns[i]->text, Percent(*cells->items[i]), base);
      }
    }
    ReadNotes(question, map);
    map.Finish();
  }

  void ReadNotes(const std::string& question, yaml::Map& map) {
    for (const auto& [key, note] : map.Entries("notes")) {
      if (v1::PublishedFigure* figure = FigureOf(absl::StrCat(question, ".", key->text), *key))
        figure->set_note(yaml::ReadText(*note, document_));
    }
  }

  void AddFigure(const std::string& question, const std::string& row, const std::string& option, int percent, std::optional<int64_t> base) {
    v1::PublishedFigure& figure = *report_.add_figures();
    figure.set_id(row.empty() ? absl::StrCat(question, ".", option) : absl::StrCat(question, ".", row, ".", option));
    v1::OptionCount& counted = *figure.mutable_measure()->mutable_count()->mutable_option();
    counted.set_question(question);
    counted.set_row(row);
    counted.set_option(option);
    figure.set_percent(percent);
    if (base.has_value()) figure.set_base(*base);
  }

  // Of the figures read last.
  v1::PublishedFigure* FigureOf(const std::string& id, const yaml::TreeNode& node) {
    for (int i = report_.figures_size() - 1; i >= 0; --i) {
      if (report_.figures(i).id() == id) return report_.mutable_figures(i);
    }
    document_.Fail(node.place, "there is no figure ", id);
    return nullptr;
  }

  // {question: Q5, option: ja, waves: {"2014": [69, 224], "2022": [80]}, slip: ["2022"]}
  void ReadTrend(const yaml::TreeNode& id, yaml::Map map) {
    v1::PublishedTrend& trend = *report_.add_trends();
    trend.set_id(CheckId(id));
    ReadOption(map, *trend.mutable_option());
    for (const auto& [wave, point] : map.Entries("waves")) ReadPoint(*wave, *point, *trend.add_points());
    for (const yaml::TreeNode* wave : map.Texts("slip")) {
      bool found = false;
      for (v1::PublishedPoint& point : *trend.mutable_points()) {
        if (point.wave() != wave->text) continue;
        point.set_slip(true);
        found = true;
      }
      if (!found) document_.Fail(wave->place, "\"", wave->text, "\" is not a wave of this trend");
    }
    if (trend.points().empty()) document_.Fail(map.node().place, "want at least one wave");
    map.Finish();
  }

  void ReadPoint(const yaml::TreeNode& wave, const yaml::TreeNode& node, v1::PublishedPoint& point) {
    if (!names::IsId(wave.text)) document_.Fail(wave.place, "\"", wave.text, "\", want a wave");
    point.set_wave(wave.text);
    if (node.kind != Kind::kList || node.items.empty() || node.items.size() > 2)
      return document_.Fail(node.place, "want [percent] or [percent, n]");
    point.set_percent(Percent(*node.items[0]));
    if (node.items.size() == 1) return;
    if (const auto base = yaml::ReadInteger(*node.items[1], document_)) point.set_base(*base);
  }

  void ReadClaim(yaml::Map map) {
    v1::PublishedClaim& claim = *report_.add_claims();
    claim.set_id(Id(map));
    claim.set_place(map.Text("place", Need::kRequired));
    claim.set_text(map.Text("text", Need::kRequired));
    if (const yaml::TreeNode* percent = map.Find("percent")) {
      claim.mutable_percent()->set_percent(Percent(*percent));
      if (map.Find("printed") != nullptr) {
        ReadPrinted(map, *claim.mutable_percent()->mutable_printed());
      } else {
        ReadMeasure(map, *claim.mutable_percent()->mutable_measure());
      }
    } else if (map.Find("bands") != nullptr) {
      for (const yaml::NodePtr& node : map.List("bands"))
        ReadBand(yaml::Map(*node, "bands", document_), *claim.mutable_bands()->add_bands());
    } else if (const yaml::TreeNode* stratum = map.Find("over_represented")) {
      ReadStratum(yaml::Map(*stratum, "over_represented", document_), *claim.mutable_over_represented()->mutable_stratum());
    } else {
      document_.Fail(map.node().place, "want percent, bands or over_represented");
    }
    map.Finish();
  }

  // printed: [count, base]
  void ReadPrinted(yaml::Map& map, v1::PrintedCounts& printed) {
    const auto& numbers = map.List("printed");
    if (numbers.size() != 2) return document_.Fail(map.Find("printed")->place, "want [count, base]");
    printed.set_count(yaml::ReadInteger(*numbers[0], document_).value_or(0));
    printed.set_base(yaml::ReadInteger(*numbers[1], document_).value_or(0));
  }

  void ReadBand(yaml::Map map, v1::Band& band) {
    band.set_label(map.Text("label", Need::kRequired));
    if (const auto from = map.Integer("from")) band.set_from(*from);
    if (const auto to = map.Integer("to")) band.set_to(*to);
    map.Finish();
  }

  int Percent(const yaml::TreeNode& node) {
    const auto percent = yaml::ReadInteger(node, document_);
    if (!percent.has_value()) return 0;
    if (*percent < 0 || *percent > 100) document_.Fail(node.place, *percent, ", want 0 to 100");
    return static_cast<int>(*percent);
  }

  std::string Id(yaml::Map& map) {
    const yaml::TreeNode* node = map.Find("id", Need::kRequired);
    return node == nullptr ? "" : CheckId(*node);
  }

  std::string CheckId(const yaml::TreeNode& node) {
    const std::string id = yaml::ReadText(node, document_);
    if (!ids_.insert(id).second) document_.Fail(node.place, "\"", id, "\" stands here twice");
    return id;
  }

  yaml::Map& map_;
  yaml::Document& document_;
  v1::PublishedReport report_;
  std::set<std::string> ids_;
};

}  // namespace

v1::PublishedReport ReadPublishedReport(yaml::Map& map) { return Reader(map).Run(); }

}  // namespace peiling::survey
