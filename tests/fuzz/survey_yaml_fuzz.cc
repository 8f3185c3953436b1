// Any text: reading it neither crashes nor hangs, tells what is wrong or gives a document that can be used.
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/common/survey/documents.h"
#include "tests/fuzz/mutate.h"

namespace peiling::survey {
namespace {

TEST(SurveyYamlFuzz, HoldsForAnyText) {
  const std::vector<std::string> corpus = {
      "kind: survey\nsurvey: s\ntitle: T\n",
      R"q(kind: wave
survey: s
wave: "2022"
title: "T"
language: nl
frame_date: 2022-03-24
opened: 2022-09-05
sections:
- title: "A"
  questions:
  - {code: who, type: text, title: "Wie?", role: municipality, required: true}
  - code: q
    type: multiple
    title: "Wat?"
    max: 2
    other: true
    exclusive: [c]
    comparability: {"2019": {status: broken, reason: "x"}}
    options: &o
    - {code: a, label: "A"}
    - {code: c, label: 'C'}
  - {code: r, type: single, title: R, options: *o, ask: "a in q && !(c in q)"}
- title: "B"
  ask: "r == a || answered(r)"
  questions:
  - {code: n, type: number, title: "Hoeveel?", min: 0, max: 1e3}
  - {code: m, type: matrix, title: "Wat?", rows: [{code: x, label: X}], options: *o}
  - code: z
    type: text
    ask: "n < 5 && m.x == a"
    title: >-
      gevouwen
      tekst
)q",
      R"(kind: published
survey: s
wave: "2022"
source: "Rapport"
figures:
- {id: a, of: {fieldwork: usable}, out_of: {fieldwork: municipalities}, strata: [{group: G40}], count: 90, percent: 26, base: 344}
questions:
  Q5: {n: 90, percent: {ja: 80}, slip: [ja], notes: {ja: "n"}}
matrices:
  Q45: {n: 64, columns: [deel, afwezig], rows: {ggz: [14, 0], po: {nee: 1}}}
trends:
  t: {question: Q5, option: ja, waves: {"2014": [69, 224], "2017": [83]}, slip: ["2017"]}
claims:
- {id: b, place: p, text: t, percent: 56, printed: [224, 403]}
- {id: c, place: p, text: t, bands: [{label: "x", to: 49}]}
- {id: d, place: p, text: t, over_represented: {size_class: under_50k}}
)",
  };
  for (const std::string& text : corpus) {
    status::BadRequest bad;
    ASSERT_TRUE(ParseDocument("f.yaml", text, bad).has_value()) << bad.ToStatus();
  }
  fuzz::Mutator mutator(20220905,
                        {"&a ",  "*a",   "<<: ", "- ", "? ",    ": ",         "[",      "]",           "{",          "}",  "|\n",
                         ">-\n", "\"",   "'",    "#",  "---\n", "...\n",      "!!str ", "%YAML 1.2\n", "\t",         "\n", "\xEF\xBB\xBF",
                         "true", "null", "~",    "-1", "1e999", "2022-03-24", "&& ",    "|| ",         "answered(q)"});
  fuzz::Run(corpus, std::move(mutator), [](const std::string& text) {
    status::BadRequest bad;
    const auto document = ParseDocument("f.yaml", text, bad);
    ASSERT_EQ(document.has_value(), bad.empty());
    if (!document.has_value()) return;
    const auto* wave = std::get_if<WaveDocument>(&*document);
    if (wave == nullptr || !wave->questionnaire.has_value()) return;
    const auto compiled = CompiledQuestionnaire::Compile(*wave->questionnaire);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    ASSERT_EQ((*compiled)->fingerprint(), wave->wave.questionnaire_fingerprint());
  });
}

}  // namespace
}  // namespace peiling::survey
