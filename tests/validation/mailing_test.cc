#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/survey/documents.h"
#include "services/common/survey/mail_template.h"

namespace peiling::survey {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const char* const kHead = R"(kind: wave
survey: s
wave: "2026"
title: "T"
questionnaire: "2022"
frame_date: 2026-01-01
opens: 2026-03-02 09:00
closes: 2026-03-30 17:00
)";

const char* const kMailing = R"(mailing:
  sender: peiling@vng.nl
  sender_name: VNG
  steps:
  - {id: uitnodiging, kind: invitation}
  - {id: herinnering-1, kind: reminder, after: opening, days: 14, at: "09:00"}
  - {id: herinnering-2, kind: reminder, before: closing, days: 7, at: "09:00", offset: 1h30m}
  - {id: verlenging, kind: extension}
  - {id: dank, kind: thanks, offset: 90s}
)";

struct Parsed {
  std::optional<ParsedDocument> document;
  std::vector<std::pair<std::string, std::string>> problems;

  const intake::v1::Wave& wave() const { return std::get<WaveDocument>(*document).wave; }
};

Parsed Parse(const std::string& text) {
  status::BadRequest bad;
  Parsed parsed;
  parsed.document = ParseDocument("f.yaml", text, bad);
  if (!bad.empty()) parsed.problems = status::FieldViolations(bad.ToStatus());
  return parsed;
}

std::string With(const std::string& from, const std::string& to) {
  EXPECT_THAT(kMailing, HasSubstr(from));
  return absl::StrCat(kHead, absl::StrReplaceAll(kMailing, {{from, to}}));
}

TEST(Mailing, FiveStepsMakeAWholePlan) {
  const Parsed parsed = Parse(absl::StrCat(kHead, kMailing));
  ASSERT_THAT(parsed.problems, IsEmpty());
  const v1::MailingPlan& plan = parsed.wave().mailing_plan();
  EXPECT_EQ(plan.sender_address(), "peiling@vng.nl");
  EXPECT_EQ(plan.sender_name(), "VNG");
  ASSERT_EQ(plan.steps_size(), 6);
  EXPECT_EQ(plan.steps(0).anchor(), v1::MAIL_ANCHOR_OPENING);
  EXPECT_EQ(plan.steps(1).days(), 14);
  EXPECT_EQ(plan.steps(1).time_of_day(), "09:00");
  EXPECT_EQ(plan.steps(2).anchor(), v1::MAIL_ANCHOR_CLOSING);
  EXPECT_EQ(plan.steps(2).days(), -7);
  EXPECT_EQ(plan.steps(2).offset().seconds(), -5400);
  EXPECT_EQ(plan.steps(3).anchor(), v1::MAIL_ANCHOR_EXTENSION);
  EXPECT_EQ(plan.steps(4).anchor(), v1::MAIL_ANCHOR_SUBMISSION);
  EXPECT_EQ(plan.steps(4).offset().seconds(), 90);
  EXPECT_EQ(plan.steps(5).id(), "colleague");
  EXPECT_EQ(plan.steps(5).kind(), v1::MAIL_KIND_COLLEAGUE);
}

TEST(Mailing, EveryKindHasGoodWordsReadyMade) {
  for (int kind = v1::MAIL_KIND_INVITATION; kind <= v1::MAIL_KIND_COLLEAGUE; ++kind) {
    const v1::MailTemplate words = DefaultTemplate(static_cast<v1::MailKind>(kind));
    EXPECT_EQ(words.language(), "nl");
    EXPECT_THAT(words.subject(), HasSubstr("{{peiling}}"));
    EXPECT_THAT(words.text(), HasSubstr("{{aanhef}},"));
    EXPECT_THAT(words.html(), HasSubstr("<a href=\"{{link}}\">Naar de vragenlijst</a>"));
    for (const TemplateProblem& problem : CheckMailTemplate(static_cast<v1::MailKind>(kind), words)) {
      ADD_FAILURE() << kind << " " << problem.part << ": " << problem.message;
    }
  }
}

TEST(Mailing, WordsOfItsOwnGoBeforeThoseReadyMade) {
  const Parsed parsed = Parse(With("kind: invitation}",
                                   "kind: invitation, subject: Kom}\n"
                                   "  - id: eerst\n"
                                   "    kind: invitation\n"
                                   "    before: opening\n"
                                   "    days: 3\n"
                                   "    templates:\n"
                                   "    - {language: en, subject: Come, text: \"Come & see:\\n\\n{{link}}\\n\"}\n"
                                   "    - {language: nl, subject: Kom, text: \"Zie {{ link }}\", html: \"\"}"));
  ASSERT_THAT(parsed.problems, IsEmpty());
  const v1::MailingPlan& plan = parsed.wave().mailing_plan();
  EXPECT_EQ(plan.steps(0).templates(0).subject(), "Kom");
  EXPECT_EQ(plan.steps(0).templates(0).text(), DefaultTemplate(v1::MAIL_KIND_INVITATION).text());
  ASSERT_EQ(plan.steps(1).templates_size(), 2);
  EXPECT_THAT(plan.steps(1).templates(0).html(),
              HasSubstr("<p>Come &amp; see:</p>\n{{#link}}<p><a href=\"{{link}}\">To the questionnaire</a></p>\n{{/link}}"));
  EXPECT_EQ(plan.steps(1).templates(1).html(), "");
}

TEST(Mailing, TargetsAreRead) {
  const Parsed parsed = Parse(absl::StrCat(kHead, R"(targets:
- {stratum: total, percent: 50}
- {stratum: size_class, code: under_50k, percent: 40}
- {stratum: province, code: Fryslân, percent: 30}
)"));
  ASSERT_THAT(parsed.problems, IsEmpty());
  ASSERT_EQ(parsed.wave().response_targets_size(), 3);
  EXPECT_EQ(parsed.wave().response_targets(0).code(), "total");
  EXPECT_EQ(parsed.wave().response_targets(1).percent(), 40);
  EXPECT_EQ(parsed.wave().response_targets(2).code(), "Fryslân");
}

struct Wrong {
  const char* from;
  const char* to;
  const char* place;
  const char* message;
};

TEST(Mailing, WhatIsWrongIsToldWithItsPlace) {
  const Wrong cases[] = {
      {"peiling@vng.nl", "\"peiling at vng\"", "10:11", "want an e-mail address"},
      {"peiling@vng.nl", "\"a@b.nl\\r\\nBcc: x@y.nl\"", "10:11", "want an e-mail address"},
      {"sender_name: VNG", "sender_name: \"VNG\\nBcc: x\"", "11:16", "want one line"},
      {"  sender_name: VNG\n", "", "10:3", "\"sender_name\" is missing"},
      {"id: dank", "id: verlenging", "17:10", "is there twice"},
      {"id: dank", "id: \"d.ank\"", "17:10", "letters, digits, '-', '_'"},
      {"id: dank", "id: colleague", "17:10", "is the step of kind colleague"},
      {"kind: thanks", "kind: bedankt", "17:22", "want one of invitation"},
      {"kind: invitation", "kind: reminder, after: opening", "10:3", "want a step of kind invitation"},
      {"kind: reminder, after: opening, days", "kind: reminder, days", "14:5", "wants \"after\" or \"before\""},
      {"after: opening, days", "after: opening, before: closing, days", "14:65", "not both"},
      {"after: opening, days", "after: submission, days", "14:5", "after or before opening or closing"},
      {"after: opening, days", "before: submission, days", "14:49", "want one of opening, closing"},
      {"kind: extension", "kind: extension, after: opening", "16:5", "wants \"after: extension\""},
      {"kind: thanks", "kind: thanks, after: closing", "17:5", "wants \"after: submission\""},
      {"kind: thanks", "kind: colleague", "17:5", "want no moment"},
      {"days: 14", "days: -1", "14:63", "want 0 to 366"},
      {"days: 14", "days: 367", "14:63", "want 0 to 366"},
      {"days: 14, at: \"09:00\"", "days: 14, at: \"9:00\"", "14:71", "want a time of day"},
      {"days: 14, at: \"09:00\"", "days: 14, at: \"24:00\"", "14:71", "want a time of day"},
      {"offset: 90s", "offset: 90", "17:38", "want a time such as"},
      {"offset: 90s", "offset: -2h", "17:38", "want a time such as"},
      {"offset: 90s", "offset: 9999h", "17:38", "at most 31 days"},
      {"kind: invitation", "kind: invitation, subject: \"{{naam}}\"", "13:50", "there is no field \"naam\"; there are aanhef"},
      {"kind: invitation", "kind: invitation, subject: \"Via {{link}}\"", "13:50", "does not belong in a subject"},
      {"kind: invitation", "kind: invitation, subject: \"A\\nB: c\"", "13:50", "want one line"},
      {"kind: invitation", "kind: invitation, text: \"Vul in\"", "13:47", "want {{link}}"},
      {"kind: invitation", "kind: invitation, text: \"a\\n{{link}}\\n{{gemeente\"", "13:47", "line 3: \"{{\" without"},
      {"kind: invitation", "kind: invitation, html: \"<p>{{link}}\"", "13:47", "<p> has no end tag"},
      {"kind: invitation", "kind: invitation, language: en, subject: Come", "13:5", "\"text\" is missing"},
      {"kind: invitation", "kind: invitation, language: \"e n\", subject: a, text: \"{{link}}\"", "13:51", "want a language"},
      {"kind: invitation", "kind: invitation, templates: []", "13:52", "want at least one"},
      {"kind: invitation", "kind: invitation, template: x", "13:41", "\"template\" is not known here"},
      {"kind: thanks", "kind: thanks, subject: x, templates: [{language: nl, subject: a, text: b}]", "17:30",
       "\"subject\" is not known here"},
      {"steps:", "steps: none\n  more:", "12:10", "want a list"},
  };
  for (const Wrong& wrong : cases) {
    const Parsed parsed = Parse(With(wrong.from, wrong.to));
    EXPECT_FALSE(parsed.document.has_value()) << wrong.to;
    EXPECT_THAT(parsed.problems, ::testing::Contains(Pair(absl::StrCat("f.yaml:", wrong.place), HasSubstr(wrong.message)))) << wrong.to;
  }
}

TEST(Mailing, OneMistakeIsToldOnce) {
  EXPECT_THAT(Parse(With("kind: thanks", "kind: bedankt")).problems, ElementsAre(Pair("f.yaml:17:22", HasSubstr("want one of"))));
}

TEST(Mailing, AWaveWithMailHasTimes) {
  const std::string head = absl::StrReplaceAll(kHead, {{"opens: 2026-03-02 09:00\ncloses: 2026-03-30 17:00", "opened: 2026-03-02"}});
  EXPECT_THAT(Parse(absl::StrCat(head, kMailing)).problems,
              ElementsAre(Pair("f.yaml:9:3", HasSubstr("wants \"opens\"")), Pair("f.yaml:9:3", HasSubstr("wants \"closes\""))));
}

TEST(Mailing, TargetsThatAreWrongAreTold) {
  const Wrong cases[] = {
      {"", "- {stratum: leeftijd, code: a, percent: 4}", "10:13", "want total, size_class"},
      {"", "- {stratum: size_class, code: small, percent: 4}", "10:31", "want one of under_50k"},
      {"", "- {stratum: size_class, percent: 4}", "10:3", "\"code\" is missing"},
      {"", "- {stratum: total, code: all, percent: 4}", "10:26", "the code is \"total\""},
      {"", "- {stratum: total, percent: 101}", "10:29", "want 1 to 100"},
      {"", "- {stratum: total, percent: 0}", "10:29", "want 1 to 100"},
      {"", "- {stratum: total}", "10:3", "\"percent\" is missing"},
      {"", "- {stratum: group, code: G40, percent: 1}\n- {stratum: group, code: G40, percent: 2}", "11:3", "there twice"},
  };
  for (const Wrong& wrong : cases) {
    const Parsed parsed = Parse(absl::StrCat(kHead, "targets:\n", wrong.to, "\n"));
    EXPECT_THAT(parsed.problems, ElementsAre(Pair(absl::StrCat("f.yaml:", wrong.place), HasSubstr(wrong.message)))) << wrong.to;
  }
}

struct Html {
  const char* html;
  // What is wrong; "" when nothing is.
  const char* problem;
};

TEST(MailTemplate, HtmlIsWellFormedAndFieldsStandWhereTheyAreText) {
  const Html cases[] = {
      {"<p>{{link}}</p>", ""},
      {"<!DOCTYPE html><html lang=\"nl\"><head><meta charset='utf-8'/><style>p{a:b} @media x{p{}}</style></head>"
       "<body><!-- x --><p>a<br>b <A HREF=\"{{link}}\">{{gemeente}}</a> 5 > 4</p></body></html>",
       ""},
      {"<a href='mailto:{{antwoordadres}}'>{{link}}</a>", ""},
      {"<p>{{link}}</div>", "</div>, want </p> first"},
      {"{{link}}</p>", "</p> without <p>"},
      {"<b><i>{{link}}</b></i>", "want </i> first"},
      {"{{link}} <", "\"<\" without a tag"},
      {"{{link}} 4 < 5", "\"<\" without a tag"},
      {"{{link}} <p", "a tag without \">\""},
      {"{{link}} <a href=\"x>y</a>", "without its closing quote"},
      {"<a href={{link}}>x</a>", "wants quotes"},
      {"<a title=\"{{contact.naam}}\">{{link}}</a>", "only {{link}}, {{afmeldlink}} and {{antwoordadres}}"},
      {"<p {{gemeente}}>{{link}}</p>", "wants quotes"},
      {"<style>{{gemeente}}</style>{{link}}", "has no place here"},
      {"<!-- {{gemeente}} -->{{link}}", "has no place here"},
      {"<!-- {{link}}", "\"-->\" is missing"},
      {"{{link}}<style>p{}", "\"</style\" is missing"},
      {"<script>x</script>{{link}}", "want no scripts"},
      {"<p>\n\n{{x}}{{link}}</p>", "line 3: there is no field \"x\""},
      {"<p></p>", "want {{link}}"},
  };
  for (const Html& c : cases) {
    v1::MailTemplate words = DefaultTemplate(v1::MAIL_KIND_REMINDER);
    words.set_html(c.html);
    const std::vector<TemplateProblem> problems = CheckMailTemplate(v1::MAIL_KIND_REMINDER, words);
    if (*c.problem == '\0') {
      EXPECT_TRUE(problems.empty()) << c.html << ": " << problems[0].message;
    } else {
      ASSERT_FALSE(problems.empty()) << c.html;
      EXPECT_EQ(problems[0].part, "html");
      EXPECT_THAT(problems[0].message, HasSubstr(c.problem)) << c.html;
    }
  }
}

TEST(MailTemplate, ValuesAreTextWhateverTheyHold) {
  const std::map<std::string, std::string> values = {
      {"gemeente", "A&B <i>\"'"}, {"aanhef", "Beste\r\nBcc: x@y.nl"}, {"link", "{{aanhef}}"}};
  EXPECT_EQ(Merge("Voor {{gemeente}}, {{ aanhef }}!", values, Markup::kText), "Voor A&B <i>\"', Beste  Bcc: x@y.nl!");
  EXPECT_EQ(Merge("<b>{{gemeente}}</b>", values, Markup::kHtml), "<b>A&amp;B &lt;i&gt;&quot;&#39;</b>");
  EXPECT_EQ(Merge("{{link}} {{weg}} {{", values, Markup::kText), "{{aanhef}} {{weg}} {{");
  EXPECT_THAT(Merge("{{aanhef}}", values, Markup::kText), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace peiling::survey
