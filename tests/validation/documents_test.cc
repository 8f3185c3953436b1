#include "services/common/survey/documents.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::survey {
namespace {

using ::testing::HasSubstr;

struct Parsed {
  std::optional<ParsedDocument> document;
  std::vector<std::pair<std::string, std::string>> problems;
};

Parsed Parse(const std::string& text) {
  status::BadRequest bad;
  Parsed parsed;
  parsed.document = ParseDocument("f.yaml", text, bad);
  if (!bad.empty()) parsed.problems = status::FieldViolations(bad.ToStatus());
  EXPECT_EQ(parsed.document.has_value(), parsed.problems.empty()) << text;
  return parsed;
}

const char* const kWave = R"(kind: wave
survey: s
wave: "2022"
title: "T"
language: nl
frame_date: 2022-03-24
opened: 2022-09-05
sections:
- title: "A"
  questions:
  - {code: who, type: text, title: "Wie?", role: municipality}
  - code: q
    type: multiple
    title: "Wat?"
    max: 2
    other: true
    exclusive: [c]
    options:
    - {code: a, label: "A"}
    - {code: b, label: "B"}
    - {code: c, label: "C"}
  - code: n
    type: number
    title: "Hoeveel?"
    ask: "a in q"
)";

// The wave with one piece replaced.
std::string With(const std::string& from, const std::string& to) {
  EXPECT_THAT(kWave, HasSubstr(from));
  return absl::StrReplaceAll(kWave, {{from, to}});
}

TEST(ParseDocument, ReadsAWave) {
  const Parsed parsed = Parse(kWave);
  ASSERT_TRUE(parsed.document.has_value());
  const auto& wave = std::get<WaveDocument>(*parsed.document);
  EXPECT_EQ(wave.wave.name(), "surveys/s/waves/2022");
  EXPECT_EQ(wave.wave.questionnaire(), "surveys/s/questionnaires/2022");
  EXPECT_EQ(wave.wave.frame_date(), "2022-03-24");
  ASSERT_TRUE(wave.questionnaire.has_value());
  EXPECT_EQ(wave.questionnaire->version(), "2022");
  const v1::Question& question = wave.questionnaire->sections(0).questions(1);
  EXPECT_EQ(question.max_choices(), 2);
  EXPECT_EQ(question.other_code(), "anders");
  ASSERT_EQ(question.options_size(), 4);
  EXPECT_TRUE(question.options(2).exclusive());
  EXPECT_FALSE(question.options(1).exclusive());
  EXPECT_EQ(question.options(3).label(), "Anders, namelijk");
  EXPECT_EQ(wave.questionnaire->sections(0).questions(2).ask(), "a in q");
}

TEST(ParseDocument, NamesTheOtherOptionInTheLanguage) {
  for (const auto& [language, code] : {std::pair{"en", "other"}, {"en-GB", "other"}, {"nl", "anders"}, {"nl-BE", "anders"}}) {
    const Parsed parsed = Parse(With("language: nl", absl::StrCat("language: ", language)));
    EXPECT_EQ(std::get<WaveDocument>(*parsed.document).questionnaire->sections(0).questions(1).other_code(), code) << language;
  }
}

TEST(ParseDocument, ReusesAQuestionnaireThatIsThere) {
  const Parsed parsed =
      Parse("kind: wave\nsurvey: s\nwave: w\ntitle: T\nframe_date: 2022-03-24\nopened: 2022-09-05\nquestionnaire: \"2019\"\n");
  const auto& wave = std::get<WaveDocument>(*parsed.document);
  EXPECT_EQ(wave.wave.questionnaire(), "surveys/s/questionnaires/2019");
  EXPECT_FALSE(wave.questionnaire.has_value());
}

TEST(ParseDocument, ReadsSettingsOfNumbersSizesConsentAndComparability) {
  const Parsed parsed = Parse(With("    ask: \"a in q\"\n", R"(    min: 0
    max: 12.5
    comparability: {"2019": {status: broken, reason: "anders gevraagd"}}
  - code: size
    type: single
    role: size_class
    title: "Inwoners?"
    options:
    - {code: small, label: "Klein", inhabitants: {from: 0, to: 49999}, comparability: {"2017": {status: same}}}
    - {code: large, label: "Groot", inhabitants: {from: 50000}}
  - code: open
    type: single
    role: consent_public_data
    title: "Openbaar?"
    options: [{code: ja, label: Ja, consents: true}, {code: nee, label: Nee}]
)"));
  const auto& questions = std::get<WaveDocument>(*parsed.document).questionnaire->sections(0).questions();
  EXPECT_EQ(questions[2].minimum(), 0);
  EXPECT_EQ(questions[2].maximum(), 12.5);
  EXPECT_EQ(questions[2].comparability(0).status(), v1::COMPARABILITY_STATUS_BROKEN);
  EXPECT_EQ(questions[3].options(0).inhabitants_to(), 49999);
  EXPECT_FALSE(questions[3].options(1).has_inhabitants_to());
  EXPECT_EQ(questions[3].options(0).comparability(0).wave(), "2017");
  EXPECT_TRUE(questions[4].options(0).consents());
}

TEST(ParseDocument, ReadsTimesOnDutchClocks) {
  const Parsed parsed =
      Parse(With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 90m\nretention_months: 6"));
  ASSERT_TRUE(parsed.document.has_value());
  const intake::v1::Wave& wave = std::get<WaveDocument>(*parsed.document).wave;
  EXPECT_EQ(wave.opens_at().seconds(), 1774339200) << "2026-03-24T08:00:00Z";
  EXPECT_EQ(wave.closes_at().seconds(), 1777042800) << "2026-04-24T15:00:00Z";
  EXPECT_EQ(wave.grace_period().seconds(), 90 * 60);
  EXPECT_EQ(wave.retention_months(), 6);
  EXPECT_EQ(wave.opened(), "") << "is left to the times";
  for (const auto& [grace, seconds] : {std::pair{"1m", 60}, {"2h", 7200}, {"1d", 86'400}, {"31d", 31 * 86'400}}) {
    const Parsed with =
        Parse(With("opened: 2022-09-05", absl::StrCat("opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: ", grace)));
    EXPECT_EQ(std::get<WaveDocument>(*with.document).wave.grace_period().seconds(), seconds) << grace;
  }
}

struct Mistake {
  std::string text;
  std::string place;
  std::string says;
};

void Expect(const Mistake& mistake) {
  const Parsed parsed = Parse(mistake.text);
  bool found = false;
  std::string all;
  for (const auto& [field, message] : parsed.problems) {
    found |= field == absl::StrCat("f.yaml:", mistake.place) && message.find(mistake.says) != std::string::npos;
    absl::StrAppend(&all, "\n  ", field, " ", message);
  }
  EXPECT_TRUE(found) << "want " << mistake.place << " " << mistake.says << " for\n" << mistake.text << "got" << all;
}

TEST(ParseDocument, TellsLineAndColumnOfEveryKindOfMistake) {
  const std::vector<Mistake> mistakes = {
      // The document.
      {"", "1:1", "want a document"},
      {"# nothing\n", "1:1", "want a document"},
      {"- a\n", "1:1", "want keys with values"},
      {"hello", "1:1", "want keys with values"},
      {"survey: s\n", "1:1", "\"kind\" is missing"},
      {"kind: poll\n", "1:7", "want one of survey, wave, published"},
      {"kind: survey\nsurvey: s\ntitle: T\n---\nkind: survey\n", "4:1", "second document"},
      {"kind: survey\nsurvey: s\ntitle: \"T\n", "4:1", "ends in the middle"},
      {"kind: survey\n\tsurvey: s\n", "2:1", ""},
      {"kind: survey\nsurvey: s\ntitle: T\ntitle: U\n", "4:1", "\"title\" stands here twice"},
      {"kind: survey\nsurvey: s\ntitle: T\n? [a]\n: b\n", "4:3", "want a text as key"},
      {"kind: survey\nsurvey: s\ntitle: \xFF\n", "3:1", "not UTF-8"},
      {"kind: survey\nsurvey: s\ntitle: a\x01\n", "3:1", "control character"},
      {"kind: survey\nsurvey: *s\ntitle: T\n", "2:9", "anchor"},
      {"kind: survey\nsurvey: s\ntitle: T\ncolour: red\n", "4:1",
       "\"colour\" is not known here; known are kind, survey, title, description"},
      {"kind: survey\nsurvey: a b\ntitle: T\n", "2:9", "want 1 to 100 letters"},
      {"kind: survey\nsurvey: s\ntitle: [a]\n", "3:8", "want a single value"},
      {"kind: survey\nsurvey: s\ntitle:\n", "3:1", "title is empty"},
      // Columns count characters.
      {"kind: survey\nsurvey: s\ntitle: {é: 1, é: 2}\n", "3:15", "twice"},
      // The wave.
      {With("frame_date: 2022-03-24", "frame_date: 24-03-2022"), "6:13", "want a day, YYYY-MM-DD"},
      {With("frame_date: 2022-03-24\n", ""), "1:1", "\"frame_date\" is missing"},
      {With("opened: 2022-09-05", "opened: 2022-09-05\nclosed: 2022-09-04"), "8:9", "closed is before opened"},
      // Its times; lines from 7 on are what stands in place of `opened`.
      {With("opened: 2022-09-05\n", ""), "1:1", "\"opened\" is missing"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 9:00\ncloses: 2026-04-24 17:00"), "7:8", "want a minute on Dutch clocks"},
      {With("opened: 2022-09-05", "opens: 2026-03-24\ncloses: 2026-04-24 17:00"), "7:8", "want a minute on Dutch clocks"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-02-30 17:00"), "8:9", "want a minute on Dutch clocks"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00"), "7:8", "opens without closes"},
      {With("opened: 2022-09-05", "opened: 2026-03-24\ncloses: 2026-03-24 09:00"), "8:9", "closes without opens"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-03-24 09:00"), "8:9", "closes is not after opens"},
      {With("opened: 2022-09-05", "opens: 2026-03-29 02:10\ncloses: 2026-03-29 02:50"), "8:9", "closes is not after opens"},
      {With("opened: 2022-09-05", "opened: 2022-09-05\ngrace: 2h"), "8:8", "grace follows closes"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 2"), "9:8", "want a time such as 30m"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: -2h"), "9:8", "want a time such as 30m"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 32d"), "9:8", "at most 31d"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\nfirst_deadline: 2026-03-23"), "9:17",
       "first_deadline is before opens"},
      {With("opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\nfirst_deadline: 2026-04-25"), "8:9",
       "closes is before first_deadline"},
      {With("opened: 2022-09-05", "opened: 2022-09-05\nretention_months: 0"), "8:19", "want 1 to 120"},
      {With("opened: 2022-09-05", "opened: 2022-09-05\nretention_months: 121"), "8:19", "want 1 to 120"},
      {With("language: nl\n", ""), "1:1", "\"language\" is missing"},
      {With("language: nl", "language: \"n l\""), "5:11", "such as \"nl\""},
      // Sections and questions.
      {With("- title: \"A\"\n", "- titel: \"A\"\n"), "9:3", "\"titel\" is not known here; known are title, ask, questions"},
      {With("type: text", "type: texts"), "11:23", "want one of text, number, date, single, multiple, matrix"},
      {With("type: text, ", ""), "11:5", "\"type\" is missing"},
      {With("role: municipality", "role: mayor"), "11:50", "want one of municipality"},
      {With("role: municipality", "required: yes"), "11:54", "want true or false"},
      {With("role: municipality", "required: \"true\""), "11:54", "want true or false"},
      {With("code: who", "code: 1who"), "11:12", "letter first"},
      {With("- code: n\n", "- code: q\n"), "22:11", "\"q\" stands here twice"},
      {With("{code: b,", "{code: a,"), "20:14", "\"a\" stands here twice"},
      {With("{code: b,", "{code: anders,"), "16:12", "twice"},
      {With("label: \"B\"", "label: "), "20:17", "label is empty"},
      {With("max: 2", "max: 5"), "15:10", "number of options, 4"},
      {With("max: 2", "max: many"), "15:10", "want a whole number"},
      {With("max: 2", "max: 0"), "15:10", "want 1 or more"},
      {With("exclusive: [c]", "exclusive: [d]"), "17:17", "\"d\" is not an option"},
      {With("exclusive: [c]", "exclusive: c"), "17:16", "want a list"},
      {With("type: multiple", "type: single"), "15:10", "multiple"},
      {With("ask: \"a in q\"", "ask: \"a in\""), "25:10", "column 5: expected"},
      {With("ask: \"a in q\"", "ask: \"z in q\""), "25:10", "column 1: q has no option z"},
      {With("ask: \"a in q\"", "ask: \"answered(n)\""), "25:10", "only look back"},
      {With("ask: \"a in q\"", "min: 5\n    max: 4"), "25:10", "not above"},
      {With("ask: \"a in q\"", "min: five"), "25:10", "want a number"},
      {With("ask: \"a in q\"", "comparability: {\"2019\": {status: bad}}"), "25:38", "want one of same, comparable, broken"},
      {With("ask: \"a in q\"", "comparability: {\"2019\": {status: broken}}"), "25:29", "want the reason"},
      {With("{code: a, label: \"A\"}", "{code: a, label: \"A\", inhabitants: {from: 1}}"), "19:42", "size_class"},
      {With("    options:\n", "    options:\n    - text\n"), "19:7", "want keys with values"},
  };
  for (const Mistake& mistake : mistakes) Expect(mistake);
}

TEST(ParseDocument, TellsAllThatIsWrongAtOnce) {
  const Parsed parsed =
      Parse(absl::StrReplaceAll(kWave, {{"type: text", "type: texts"}, {"max: 2", "max: 9"}, {"a in q", "a in"}, {"title: \"T\"\n", ""}}));
  EXPECT_EQ(parsed.problems.size(), 4u);
}

TEST(ParseDocument, EndsAListOfProblemsThatIsTooLong) {
  std::string text = "kind: survey\nsurvey: s\ntitle: T\n";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&text, "x", i, ": 1\n");
  EXPECT_LE(Parse(text).problems.size(), 101u);
}

TEST(ParseDocument, BoundsSizeDepthAndAliases) {
  const auto first = [](const std::string& text) {
    const Parsed parsed = Parse(text);
    return parsed.problems.empty() ? "" : parsed.problems[0].second;
  };
  EXPECT_THAT(first("# " + std::string(2 << 20, 'x')), HasSubstr("larger than 2 MiB"));
  EXPECT_THAT(first("a: " + std::string(5000, '[')), HasSubstr("levels deep"));
  EXPECT_THAT(first("a: " + std::string(101, '[') + std::string(101, ']')), HasSubstr("100 levels deep"));
  std::string nested = "k";
  for (int i = 0; i < 3000; ++i) nested = absl::StrCat("- ", nested);
  EXPECT_THAT(first(nested), HasSubstr("levels deep"));
  // A few aliases of aliases, and it would be 10^9 values.
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&bomb, j == 0 ? "" : ",", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(first(bomb), HasSubstr("aliases written out"));
  std::string many = "a: &a x\nb: [";
  for (int i = 0; i < 1001; ++i) many += "*a,";
  EXPECT_THAT(first(many + "]\n"), HasSubstr("1000 uses"));
  EXPECT_THAT(first("a: &a [*a]\n"), HasSubstr("alias"));
}

TEST(ParseDocument, ReadsAliasesAndMergesNothing) {
  const Parsed parsed =
      Parse(absl::StrReplaceAll(kWave, {{"    options:\n", "    options: &options\n"},
                                        {"    ask: \"a in q\"\n", "  - {code: r, type: single, title: R, options: *options}\n"}}));
  ASSERT_TRUE(parsed.document.has_value());
  EXPECT_EQ(std::get<WaveDocument>(*parsed.document).questionnaire->sections(0).questions(3).options_size(), 3);
  EXPECT_THAT(Parse("kind: survey\nsurvey: s\ntitle: T\n<<: {description: d}\n").problems[0].second, HasSubstr("\"<<\" is not known"));
}

const char* const kPublished = R"(kind: published
survey: s
wave: "2022"
source: "Rapport"
figures:
- {id: usable, of: {fieldwork: usable}, out_of: {fieldwork: municipalities}, count: 90, percent: 26, base: 344}
- {id: g40, of: {fieldwork: usable}, strata: [{group: G40}, {size_class: under_50k, except: true}], count: 18, note: "n"}
- {id: panel, of: {also_in_wave: "2019"}, out_of: {fieldwork: usable}, count_strata: [{took_part_in: "2017"}], percent: 70}
questions:
  Q5: {n: 90, percent: {ja: 80, nee: 20}, slip: [nee], notes: {ja: "ook"}}
matrices:
  Q22: {n: 65, rows: {po: {nee: 12}}}
  Q45: {n: 64, columns: [deel, afwezig], rows: {ggz: [14, 0]}, notes: {ggz.deel: "m"}}
trends:
  teams: {question: Q5, option: ja, waves: {"2014": [69, 224], "2017": [83]}, slip: ["2017"]}
claims:
- {id: a, place: p, text: t, percent: 70, of: {also_in_wave: "2019"}, out_of: {fieldwork: usable}}
- {id: b, place: p, text: t, percent: 56, printed: [224, 403]}
- {id: c, place: p, text: t, bands: [{label: "< 50", to: 49}, {label: "> 50", from: 51}]}
- {id: d, place: p, text: t, over_represented: {size_class: under_50k}}
)";

TEST(ParseDocument, ExpandsPublishedFigures) {
  const Parsed parsed = Parse(kPublished);
  ASSERT_TRUE(parsed.document.has_value());
  const auto& [wave, report] = std::get<PublishedDocument>(*parsed.document);
  EXPECT_EQ(wave, "surveys/s/waves/2022");
  ASSERT_EQ(report.figures_size(), 8);
  EXPECT_EQ(report.figures(0).measure().base().fieldwork(), v1::FIELDWORK_COUNT_MUNICIPALITIES);
  EXPECT_EQ(report.figures(1).measure().strata_size(), 2);
  EXPECT_TRUE(report.figures(1).measure().strata(1).except());
  EXPECT_FALSE(report.figures(1).has_percent());
  EXPECT_EQ(report.figures(2).measure().count().also_in_wave(), "2019");
  EXPECT_EQ(report.figures(2).measure().count_strata(0).took_part_in(), "2017");
  EXPECT_EQ(report.figures(3).id(), "Q5.ja");
  EXPECT_EQ(report.figures(3).percent(), 80);
  EXPECT_EQ(report.figures(3).base(), 90);
  EXPECT_FALSE(report.figures(3).slip());
  EXPECT_EQ(report.figures(3).note(), "ook");
  EXPECT_TRUE(report.figures(4).slip());
  EXPECT_EQ(report.figures(5).id(), "Q22.po.nee");
  EXPECT_EQ(report.figures(6).id(), "Q45.ggz.deel");
  EXPECT_EQ(report.figures(6).measure().count().option().row(), "ggz");
  EXPECT_EQ(report.figures(6).note(), "m");
  EXPECT_EQ(report.figures(7).percent(), 0);
  ASSERT_EQ(report.trends_size(), 1);
  EXPECT_EQ(report.trends(0).points(0).base(), 224);
  EXPECT_FALSE(report.trends(0).points(1).has_base());
  EXPECT_TRUE(report.trends(0).points(1).slip());
  ASSERT_EQ(report.claims_size(), 4);
  EXPECT_EQ(report.claims(0).percent().measure().base().fieldwork(), v1::FIELDWORK_COUNT_USABLE);
  EXPECT_EQ(report.claims(1).percent().printed().base(), 403);
  EXPECT_FALSE(report.claims(2).bands().bands(0).has_from());
  EXPECT_EQ(report.claims(3).over_represented().stratum().size_class(), v1::SIZE_CLASS_UNDER_50K);
}

TEST(ParseDocument, TellsWhatIsWrongWithFigures) {
  const auto with = [](const std::string& from, const std::string& to) {
    EXPECT_THAT(kPublished, HasSubstr(from));
    return absl::StrReplaceAll(kPublished, {{from, to}});
  };
  const std::vector<Mistake> mistakes = {
      {with("ja: 80", "ja: 180"), "10:29", "want 0 to 100"},
      {with("ja: 80", "ja: veel"), "10:29", "want a whole number"},
      {with("slip: [nee]", "slip: [x]"), "10:50", "no figure Q5.x"},
      {with("[14, 0]", "[14]"), "13:54", "each of the columns (2)"},
      {with("{fieldwork: usable}, strata", "{fieldwork: x}, strata"), "7:29", "want one of municipalities"},
      {with("{size_class: under_50k, except: true}", "{size_class: small, except: true}"), "7:74", "want one of under_50k"},
      {with("{group: G40}", "{}"), "7:47", "want one of size_class"},
      {with(", count: 18", ""), "7:3", "want percent, count or both"},
      {with("id: g40", "id: usable"), "7:8", "\"usable\" stands here twice"},
      {with("[83]", "[83, 1, 2]"), "15:72", "want [percent] or [percent, n]"},
      {with("slip: [\"2017\"]", "slip: [\"2018\"]"), "15:86", "not a wave of this trend"},
      {with("printed: [224, 403]", "printed: [224]"), "18:52", "want [count, base]"},
      {with(", over_represented: {size_class: under_50k}", ""), "20:3", "want percent, bands or over_represented"},
      {with("source: \"Rapport\"\n", ""), "1:1", "\"source\" is missing"},
  };
  for (const Mistake& mistake : mistakes) Expect(mistake);
}

}  // namespace
}  // namespace peiling::survey
