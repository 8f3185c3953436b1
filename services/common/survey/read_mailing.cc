#include "services/common/survey/read_mailing.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/survey/check_questionnaire.h"
#include "services/common/survey/mail_template.h"
#include "services/common/survey/read_published.h"
#include "services/common/text/characters.h"

namespace peiling::survey {
namespace {

using yaml::Need;

constexpr int kMaxSteps = 50;
constexpr size_t kMaxStepId = 40;
constexpr size_t kMaxName = 200;
constexpr size_t kMaxAddress = 254;
// Waves are sent whole, to everybody who follows them.
constexpr size_t kMaxPlanBytes = 512 << 10;
constexpr int kMaxTargets = 500;
constexpr int64_t kMaxDays = 366;
constexpr absl::Duration kMaxOffset = absl::Hours(24 * 31);
constexpr char kColleagueStep[] = "colleague";

const yaml::Words<v1::MailKind> kKinds = {
    {"invitation", v1::MAIL_KIND_INVITATION}, {"reminder", v1::MAIL_KIND_REMINDER},   {"extension", v1::MAIL_KIND_EXTENSION},
    {"thanks", v1::MAIL_KIND_THANKS},         {"colleague", v1::MAIL_KIND_COLLEAGUE},
};

// Mail can only come before what is known beforehand.
const yaml::Words<v1::MailAnchor> kAfter = {
    {"opening", v1::MAIL_ANCHOR_OPENING},
    {"closing", v1::MAIL_ANCHOR_CLOSING},
    {"extension", v1::MAIL_ANCHOR_EXTENSION},
    {"submission", v1::MAIL_ANCHOR_SUBMISSION},
};
const yaml::Words<v1::MailAnchor> kBefore = {{"opening", v1::MAIL_ANCHOR_OPENING}, {"closing", v1::MAIL_ANCHOR_CLOSING}};

const std::set<std::string> kStrata = {"total", "size_class", "province", "group"};

bool IsStepId(const std::string& text) {
  return !text.empty() && text.size() <= kMaxStepId &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

// Whether it looks like "name@host.nl". Whether mail arrives there, only mail tells.
bool IsAddress(const std::string& text) {
  const size_t at = text.find('@');
  const auto belongs = [](unsigned char c) {
    return !absl::ascii_isspace(c) && !absl::ascii_iscntrl(c) && std::string_view("<>\",;:()").find(c) == std::string_view::npos;
  };
  return at != std::string::npos && at > 0 && text.find('@', at + 1) == std::string::npos && text.find('.', at) != std::string::npos &&
         text[at + 1] != '.' && text.back() != '.' && text.size() <= kMaxAddress && std::all_of(text.begin(), text.end(), belongs);
}

class Reader {
 public:
  explicit Reader(yaml::Map& wave) : wave_(wave), document_(wave.document()) {}

  v1::MailingPlan ReadPlan(const yaml::TreeNode& node) {
    for (const char* const key : {"opens", "closes"}) {
      if (wave_.Find(key) == nullptr) document_.Fail(node.place, "a wave with mail wants \"", key, "\"");
    }
    yaml::Map map(node, "mailing_plan", document_);
    plan_.set_sender_address(Address(map, "sender", Need::kRequired));
    plan_.set_sender_name(Line(map, "sender_name", Need::kRequired));
    plan_.set_reply_to(Address(map, "reply_to", Need::kOptional));
    ReadSteps(map);
    map.Finish();
    if (const size_t bytes = plan_.ByteSizeLong(); bytes > kMaxPlanBytes)
      document_.Fail(node.place, bytes, " bytes with all templates, want at most ", kMaxPlanBytes);
    return std::move(plan_);
  }

 private:
  std::string Address(yaml::Map& map, std::string_view key, Need need) {
    const std::string address = map.Text(key, need);
    if (!address.empty() && !IsAddress(address)) document_.Fail(map.Find(key)->place, "\"", address, "\", want an e-mail address");
    return address;
  }

  std::string Line(yaml::Map& map, std::string_view key, Need need) {
    const std::string line = map.Text(key, need);
    if (OneLine(line) != line || text::Characters(line) > kMaxName)
      document_.Fail(map.Find(key)->place, "want one line of at most ", kMaxName, " characters");
    return line;
  }

  void ReadSteps(yaml::Map& map) {
    const auto& steps = map.List("steps", Need::kRequired);
    if (steps.size() > kMaxSteps) return document_.Fail(map.Find("steps")->place, steps.size(), " steps, want at most ", kMaxSteps);
    for (const yaml::NodePtr& node : steps) {
      yaml::Map step(*node, absl::StrCat("mailing_plan.steps[", plan_.steps_size(), "]"), document_);
      ReadStep(step, *plan_.add_steps());
    }
    if (Count(v1::MAIL_KIND_INVITATION) == 0) document_.Fail(map.node().place, "want a step of kind invitation");
    if (Count(v1::MAIL_KIND_COLLEAGUE) == 0) AddColleagueStep();
  }

  int Count(v1::MailKind kind) const {
    return static_cast<int>(
        std::count_if(plan_.steps().begin(), plan_.steps().end(), [&](const v1::MailingStep& step) { return step.kind() == kind; }));
  }

  void AddColleagueStep() {
    v1::MailingStep& step = *plan_.add_steps();
    step.set_id(kColleagueStep);
    step.set_kind(v1::MAIL_KIND_COLLEAGUE);
    *step.add_templates() = DefaultTemplate(step.kind());
  }

  void ReadStep(yaml::Map& map, v1::MailingStep& step) {
    step.set_kind(map.Word("kind", kKinds, Need::kRequired));
    ReadId(map, step);
    ReadMoment(map, step);
    ReadTemplates(map, step);
    map.Finish();
  }

  void ReadId(yaml::Map& map, v1::MailingStep& step) {
    step.set_id(map.Text("id", Need::kRequired));
    if (step.id().empty()) return;
    const yaml::Place place = map.Find("id")->place;
    if (!IsStepId(step.id())) document_.Fail(place, "\"", step.id(), "\", want 1 to ", kMaxStepId, " letters, digits, '-', '_'");
    if (!ids_.insert(step.id()).second) document_.Fail(place, "\"", step.id(), "\" is there twice");
    if (step.id() == kColleagueStep && step.kind() != v1::MAIL_KIND_COLLEAGUE)
      document_.Fail(place, "\"", step.id(), "\" is the step of kind colleague");
    if (step.kind() == v1::MAIL_KIND_COLLEAGUE && Count(step.kind()) > 1) document_.Fail(place, "want one step of kind colleague");
  }

  // When it is due: so many days and so long after or before an anchor.
  void ReadMoment(yaml::Map& map, v1::MailingStep& step) {
    const yaml::TreeNode* after = map.Find("after");
    const yaml::TreeNode* before = map.Find("before");
    if (after != nullptr && before != nullptr) document_.Fail(before->place, "want \"after\" or \"before\", not both");
    const int sign = before == nullptr ? 1 : -1;
    if (before == nullptr) step.set_anchor(map.Word("after", kAfter));
    if (before != nullptr) step.set_anchor(map.Word("before", kBefore));
    if (after == nullptr && before == nullptr) step.set_anchor(DefaultAnchor(map, step.kind()));
    step.set_days(sign * ReadDays(map));
    ReadTimeOfDay(map, step);
    ReadOffset(map, sign, step);
    CheckAnchor(map, step);
  }

  v1::MailAnchor DefaultAnchor(yaml::Map& map, v1::MailKind kind) {
    switch (kind) {
      case v1::MAIL_KIND_INVITATION:
        return v1::MAIL_ANCHOR_OPENING;
      case v1::MAIL_KIND_REMINDER:
        document_.Fail(map.node().place, "a reminder wants \"after\" or \"before\"");
        return v1::MAIL_ANCHOR_UNSPECIFIED;
      case v1::MAIL_KIND_EXTENSION:
        return v1::MAIL_ANCHOR_EXTENSION;
      case v1::MAIL_KIND_THANKS:
        return v1::MAIL_ANCHOR_SUBMISSION;
      default:
        return v1::MAIL_ANCHOR_UNSPECIFIED;
    }
  }

  int ReadDays(yaml::Map& map) {
    const int64_t days = map.Integer("days").value_or(0);
    if (days >= 0 && days <= kMaxDays) return static_cast<int>(days);
    document_.Fail(map.Find("days")->place, days, ", want 0 to ", kMaxDays);
    return 0;
  }

  void ReadTimeOfDay(yaml::Map& map, v1::MailingStep& step) {
    step.set_time_of_day(map.Text("at"));
    if (!step.time_of_day().empty() && !calendar::AtTimeOfDay(absl::CivilDay(), step.time_of_day()))
      document_.Fail(map.Find("at")->place, "\"", step.time_of_day(), "\", want a time of day such as \"09:00\"");
  }

  void ReadOffset(yaml::Map& map, int sign, v1::MailingStep& step) {
    const std::string text = map.Text("offset");
    if (text.empty()) return;
    absl::Duration offset;
    if (!absl::ParseDuration(text, &offset) || offset < absl::ZeroDuration() || offset > kMaxOffset)
      return document_.Fail(map.Find("offset")->place, "\"", text, "\", want a time such as \"2h\" or \"90s\", at most 31 days");
    offset *= sign;
    const int64_t seconds = absl::IDivDuration(offset, absl::Seconds(1), &offset);
    step.mutable_offset()->set_seconds(seconds);
    step.mutable_offset()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(offset)));
  }

  void CheckAnchor(yaml::Map& map, const v1::MailingStep& step) {
    const v1::MailAnchor anchor = step.anchor();
    const bool moment = map.Find("after") != nullptr || map.Find("before") != nullptr || map.Find("days") != nullptr ||
                        map.Find("at") != nullptr || map.Find("offset") != nullptr;
    const bool planned = anchor == v1::MAIL_ANCHOR_OPENING || anchor == v1::MAIL_ANCHOR_CLOSING;
    // What could not be read has been told.
    if (step.kind() == v1::MAIL_KIND_UNSPECIFIED) return;
    if (step.kind() == v1::MAIL_KIND_COLLEAGUE) {
      if (moment) document_.Fail(map.node().place, "mail to colleagues goes at once: want no moment");
    } else if (anchor == v1::MAIL_ANCHOR_UNSPECIFIED) {
      return;
    } else if (step.kind() == v1::MAIL_KIND_EXTENSION && anchor != v1::MAIL_ANCHOR_EXTENSION) {
      document_.Fail(map.node().place, "mail of kind extension wants \"after: extension\"");
    } else if (step.kind() == v1::MAIL_KIND_THANKS && anchor != v1::MAIL_ANCHOR_SUBMISSION) {
      document_.Fail(map.node().place, "mail of kind thanks wants \"after: submission\"");
    } else if ((step.kind() == v1::MAIL_KIND_INVITATION || step.kind() == v1::MAIL_KIND_REMINDER) && !planned) {
      document_.Fail(map.node().place, "want a moment after or before opening or closing");
    }
  }

  // A list of templates, or the keys of one beside the step's own.
  void ReadTemplates(yaml::Map& map, v1::MailingStep& step) {
    if (map.Find("templates") == nullptr) return ReadTemplate(map, step, true);
    std::set<std::string> languages;
    for (const yaml::NodePtr& node : map.List("templates")) {
      yaml::Map words(*node, absl::StrCat(map.path(), ".templates[", step.templates_size(), "]"), document_);
      ReadTemplate(words, step, false);
      const std::string& language = step.templates(step.templates_size() - 1).language();
      if (!languages.insert(language).second) document_.Fail(node->place, "\"", language, "\" is there twice");
      words.Finish();
    }
    if (step.templates().empty()) document_.Fail(map.Find("templates")->place, "want at least one");
  }

  // `ready_made`: what is absent is as in the template there is for this kind, when that is in its language.
  void ReadTemplate(yaml::Map& map, v1::MailingStep& step, bool ready_made) {
    v1::MailTemplate& words = *step.add_templates();
    words = DefaultTemplate(step.kind());
    if (const std::string language = map.Text("language"); !language.empty()) words.set_language(language);
    if (!IsLanguage(words.language()))
      document_.Fail(map.Find("language")->place, "\"", words.language(), "\", want a language such as \"nl\"");
    const Need need = ready_made && words.language() == "nl" ? Need::kOptional : Need::kRequired;
    const std::string subject = map.Text("subject", need);
    const std::string text = map.Text("text", need);
    if (!subject.empty() || need == Need::kRequired) words.set_subject(subject);
    if (!text.empty() || need == Need::kRequired) words.set_text(text);
    words.set_html(map.Find("html") == nullptr ? HtmlOf(words) : map.Text("html"));
    CheckTemplate(map, step.kind(), words);
  }

  // What is ready-made is right; so whatever is wrong stands in the document.
  void CheckTemplate(yaml::Map& map, v1::MailKind kind, const v1::MailTemplate& words) {
    for (const TemplateProblem& problem : CheckMailTemplate(kind, words)) {
      const yaml::TreeNode* part = map.Find(problem.part);
      // HTML made from text is as wrong as the text, and what is missing has been told.
      if (part != nullptr) document_.Fail(part->place, std::string(problem.part), ": ", problem.message);
    }
  }

  yaml::Map& wave_;
  yaml::Document& document_;
  v1::MailingPlan plan_;
  std::set<std::string> ids_;
};

void CheckTargetCode(yaml::Map& map, const v1::ResponseTarget& target) {
  const yaml::TreeNode* code = map.Find("code");
  if (code == nullptr) return;
  if (target.stratum() == "total" && target.code() != "total") map.document().Fail(code->place, "of the total the code is \"total\"");
  if (target.stratum() == "size_class") map.Word("code", kSizeClasses);
  if (target.code().empty() || text::Characters(target.code()) > kMaxName) map.document().Fail(code->place, "want a class of the stratum");
}

void ReadTarget(yaml::Map map, std::set<std::pair<std::string, std::string>>& known, v1::ResponseTarget& target) {
  yaml::Document& document = map.document();
  target.set_stratum(map.Text("stratum", Need::kRequired));
  const bool total = target.stratum() == "total";
  target.set_code(map.Text("code", total ? Need::kOptional : Need::kRequired));
  if (total && target.code().empty()) target.set_code("total");
  if (!target.stratum().empty() && !kStrata.contains(target.stratum()))
    document.Fail(map.Find("stratum")->place, "\"", target.stratum(), "\", want total, size_class, province or group");
  CheckTargetCode(map, target);
  if (!known.emplace(target.stratum(), target.code()).second) document.Fail(map.node().place, "this class is there twice");
  const yaml::TreeNode* percent = map.Find("percent", Need::kRequired);
  const int64_t value = map.Integer("percent").value_or(1);
  if (percent != nullptr && (value < 1 || value > 100)) document.Fail(percent->place, value, ", want 1 to 100");
  target.set_percent(static_cast<int32_t>(value));
  map.Finish();
}

}  // namespace

void ReadMailing(yaml::Map& map, intake::v1::Wave& wave) {
  if (const yaml::TreeNode* node = map.Find("mailing")) *wave.mutable_mailing_plan() = Reader(map).ReadPlan(*node);
  const auto& targets = map.List("targets");
  if (targets.size() > kMaxTargets) return map.document().Fail(map.Find("targets")->place, "more than ", kMaxTargets);
  std::set<std::pair<std::string, std::string>> known;
  for (const yaml::NodePtr& node : targets) {
    const std::string path = absl::StrCat("response_targets[", wave.response_targets_size(), "]");
    ReadTarget(yaml::Map(*node, path, map.document()), known, *wave.add_response_targets());
  }
}

}  // namespace peiling::survey
