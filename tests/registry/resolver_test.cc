#include "gmock/gmock.h"
#include "services/common/text/fold.h"
#include "services/registry/name_resolver.h"
#include "services/registry/spelling.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Resolution Resolve(const std::string& text, const std::string& as_of = "2022-03-24") { return RealResolver().Resolve(text, as_of); }

TEST(Parts, AreCutWherePeopleSeparate) {
  const auto cut = [](const std::string& text) {
    std::vector<std::string> pieces;
    for (const Part& part : CutIntoParts(text)) {
      std::string piece;
      for (const Word& word : part.words) piece += (piece.empty() ? "" : " ") + word.text;
      pieces.push_back(piece);
    }
    return pieces;
  };
  EXPECT_THAT(cut("Enkhuizen, Stede Broec en Drechterland"), ElementsAre("enkhuizen", "stede broec", "drechterland"));
  EXPECT_THAT(cut("Aalsmeer/Amstelveen"), ElementsAre("aalsmeer", "amstelveen"));
  EXPECT_THAT(cut("A & B + C; D | E\nF"), ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_THAT(cut("Alphen a/d Rijn"), ElementsAre("alphen a d rijn"));
  EXPECT_THAT(cut("Breda/Delft"), ElementsAre("breda", "delft"));
  EXPECT_THAT(cut("Olst - Wijhe"), ElementsAre("olst", "wijhe"));
  EXPECT_THAT(cut("Olst-Wijhe"), ElementsAre("olst wijhe"));
  EXPECT_THAT(cut("Emmen en Enschede"), ElementsAre("emmen", "enschede"));
  EXPECT_THAT(cut("Hengelo (Ov)"), ElementsAre("hengelo", "ov"));
  EXPECT_THAT(cut(", , en &"), IsEmpty());
  EXPECT_THAT(cut(""), IsEmpty());
}

TEST(Parts, KnowTheirPlaceInTheText) {
  const std::string text = " Apeldorn ,  Súdwest Fryslan en Ede ";
  std::vector<std::string> pieces;
  for (const Part& part : CutIntoParts(text)) pieces.push_back(text.substr(part.begin, part.end - part.begin));
  EXPECT_THAT(pieces, ElementsAre("Apeldorn", "Súdwest Fryslan", "Ede"));
}

TEST(EditDistance, CountsErrorsUpToItsLimit) {
  EXPECT_EQ(EditDistance("apeldoorn", "apeldoorn", 2), 0);
  EXPECT_EQ(EditDistance("apeldorn", "apeldoorn", 2), 1);
  EXPECT_EQ(EditDistance("tilbrug", "tilburg", 1), 1);
  EXPECT_EQ(EditDistance("best", "test", 1), 1);
  EXPECT_EQ(EditDistance("appeldorn", "apeldoorn", 2), 2);
  EXPECT_EQ(EditDistance("appeldorn", "apeldoorn", 1), 2);
  EXPECT_EQ(EditDistance("", "ede", 2), 3);
  EXPECT_EQ(EditDistance("ca", "abc", 3), 3);
  EXPECT_EQ(EditDistance(std::string(100, 'a'), std::string(100, 'a'), 2), 3);
}

TEST(Resolve, SaysWhatWasCorrected) {
  const v1::Resolution one = Resolve(" Apeldorn ");
  EXPECT_EQ(one.kind(), v1::RESOLUTION_KIND_CORRECTED);
  EXPECT_EQ(one.text(), " Apeldorn ");
  EXPECT_EQ(one.correction(), "Apeldorn → Apeldoorn");
  EXPECT_THAT(one.titles(), ElementsAre("Apeldoorn"));
  const v1::Resolution joint = Resolve("Alsmeer/Amstelveen");
  EXPECT_EQ(joint.kind(), v1::RESOLUTION_KIND_SEVERAL);
  EXPECT_EQ(joint.correction(), "Alsmeer → Aalsmeer");
  EXPECT_EQ(Resolve("Aalsmeer").correction(), "");
}

TEST(Resolve, SortsTheCodesOfSeveral) {
  const v1::Resolution resolution = Resolve("Enkhuizen, Stede Broec en Drechterland");
  EXPECT_THAT(resolution.codes(), ElementsAre("GM0388", "GM0498", "GM0532"));
  EXPECT_THAT(resolution.titles(), ElementsAre("Enkhuizen", "Drechterland", "Stede Broec"));
}

TEST(Resolve, NamesSuccessorsOfFormerMunicipalities) {
  const v1::Resolution weesp = Resolve("Weesp");
  EXPECT_EQ(weesp.kind(), v1::RESOLUTION_KIND_FORMER);
  EXPECT_THAT(weesp.codes(), ElementsAre("GM0457"));
  EXPECT_THAT(weesp.successors(), ElementsAre("GM0363"));
  EXPECT_THAT(weesp.explanation(), HasSubstr("Amsterdam"));
  EXPECT_EQ(Resolve("Weesp", "2022-03-23").kind(), v1::RESOLUTION_KIND_EXACT);
  EXPECT_THAT(Resolve("Haaren").successors(), ElementsAre("GM0757", "GM0824", "GM0855", "GM0865"));
  const v1::Resolution misspelled = Resolve("Heerhugowaart");
  EXPECT_EQ(misspelled.kind(), v1::RESOLUTION_KIND_FORMER);
  EXPECT_EQ(misspelled.correction(), "Heerhugowaart → Heerhugowaard");
}

TEST(Resolve, NamesWhatThereWasBeforeAMunicipalityBegan) {
  const v1::Resolution resolution = Resolve("Gooise Meren", "2015-01-01");
  EXPECT_EQ(resolution.kind(), v1::RESOLUTION_KIND_FORMER);
  EXPECT_THAT(resolution.candidates(), ElementsAre("GM0381", "GM0424", "GM0425"));
  EXPECT_THAT(resolution.successors(), IsEmpty());
}

TEST(Resolve, TakesANameForWhatItMeansOnTheDay) {
  EXPECT_THAT(Resolve("Groesbeek", "2015-06-01").codes(), ElementsAre("GM0241"));
  EXPECT_THAT(Resolve("Groesbeek", "2016-01-01").codes(), ElementsAre("GM1945"));
  EXPECT_EQ(Resolve("Groesbeek", "2016-01-01").kind(), v1::RESOLUTION_KIND_EXACT);
  EXPECT_THAT(Resolve("De Friese Meren", "2015-06-01").codes(), ElementsAre("GM1921"));
  EXPECT_THAT(Resolve("De Friese Meren", "2016-01-01").codes(), ElementsAre("GM1940"));
}

TEST(Resolve, DoesNotCountFormerOnesThatArePartOfOneNamed) {
  EXPECT_THAT(Resolve("Weesp en Amsterdam").codes(), ElementsAre("GM0363"));
  EXPECT_THAT(Resolve("Weesp en Amsterdam", "2022-03-23").codes(), ElementsAre("GM0363", "GM0457"));
  const v1::Resolution apart = Resolve("Weesp en Diemen");
  EXPECT_EQ(apart.kind(), v1::RESOLUTION_KIND_AMBIGUOUS);
  EXPECT_THAT(apart.candidates(), ElementsAre("GM0363", "GM0384"));
}

TEST(Resolve, ExplainsEveryOutcome) {
  for (const char* text :
       {"", "Urk", "Apeldorn", "Aalsmeer/Amstelveen", "Bergen", "Weesp", "Twente", "provincie Utrecht", "Hengelo (Gld)", "zomaar iets"}) {
    EXPECT_FALSE(Resolve(text).explanation().empty()) << text;
  }
  EXPECT_THAT(Resolve("Hengelo (Gelderland)").explanation(), HasSubstr("geen gemeente"));
  EXPECT_THAT(Resolve("Twente").explanation(), HasSubstr("regio"));
}

TEST(Resolve, AnswersAnyLength) {
  EXPECT_EQ(Resolve(std::string(100'000, 'a')).kind(), v1::RESOLUTION_KIND_UNKNOWN);
  std::string list;
  for (int i = 0; i < 1000; ++i) list += "Urk, ";
  EXPECT_EQ(Resolve(list).kind(), v1::RESOLUTION_KIND_UNKNOWN);
}

// What follows holds for every municipality, existing or former.

std::string Upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// A day on which it exists.
std::string DayOf(const v1::Municipality& m) {
  if (m.valid_to().empty()) return std::max<std::string>(m.valid_from(), "2024-01-01");
  return std::max<std::string>(m.valid_from(), "2014-01-01");
}

std::string Replaced(std::string text, char from, const std::string& to) {
  std::string out;
  for (char c : text) out += c == from ? to : std::string(1, c);
  return out;
}

TEST(EveryMunicipality, IsFoundByItsNameInAnyDress) {
  for (const v1::Municipality& m : RealCatalog().all()) {
    const std::string& title = m.title();
    for (const std::string& text : {title, Upper(title), text::Fold(title), Replaced(title, '-', " "), Replaced(title, ' ', "-"),
                                    Replaced(title, ' ', "  "), " " + title + " ", "gemeente " + title, "Gem. " + title,
                                    title + " (gemeente)", "de gemeente " + title, Replaced(title, '\'', "\u2019"), title + "."}) {
      const v1::Resolution resolution = Resolve(text, DayOf(m));
      EXPECT_EQ(resolution.kind(), v1::RESOLUTION_KIND_EXACT) << text << ": " << resolution.ShortDebugString();
      EXPECT_THAT(resolution.codes(), ElementsAre(m.code())) << text;
    }
  }
}

TEST(EveryMunicipality, IsFoundByItsAliases) {
  for (const Alias& alias : RealData().aliases) {
    if (alias.ambiguous) continue;
    for (const std::string& code : alias.codes) {
      const v1::Municipality& m = *RealCatalog().Find(code);
      const v1::Resolution resolution = Resolve(alias.text, DayOf(m));
      EXPECT_EQ(resolution.kind(), v1::RESOLUTION_KIND_EXACT) << alias.text;
      EXPECT_THAT(resolution.codes(), ElementsAre(code)) << alias.text;
    }
  }
}

// Every text that is one letter off a name.
std::vector<std::string> Edits(const std::string& name) {
  static const std::string kLetters = "abcdefghijklmnopqrstuvwxyz";
  static const std::string kOthers = " -/,(1";
  std::vector<std::string> edits;
  for (size_t i = 0; i <= name.size(); ++i) {
    for (char c : kLetters + kOthers) edits.push_back(name.substr(0, i) + c + name.substr(i));
    if (i == name.size()) continue;
    for (char c : kLetters) edits.push_back(name.substr(0, i) + c + name.substr(i + 1));
    edits.push_back(name.substr(0, i) + name.substr(i + 1));
    if (i + 1 < name.size()) edits.push_back(name.substr(0, i) + name[i + 1] + name[i] + name.substr(i + 2));
  }
  return edits;
}

TEST(EveryMunicipality, IsNeverTakenForAnotherAfterOneTypingError) {
  int64_t tried = 0, mended = 0;
  for (const v1::Municipality& m : RealCatalog().all()) {
    const std::string day = DayOf(m);
    for (const std::string& text : Edits(text::Fold(m.title()))) {
      ++tried;
      const v1::Resolution resolution = Resolve(text, day);
      for (const std::string& code : resolution.codes()) {
        if (code == m.code()) {
          mended += resolution.kind() == v1::RESOLUTION_KIND_CORRECTED ? 1 : 0;
          continue;
        }
        // Another one is right only when the text is its very name.
        EXPECT_EQ(resolution.correction(), "") << text << " from " << m.title() << ": " << resolution.ShortDebugString();
      }
    }
  }
  std::cout << tried << " texts one error off a name, " << mended << " mended\n";
  EXPECT_GT(mended, tried / 2);
}

TEST(NoOtherName, IsTakenForAMunicipality) {
  for (const OtherName& other : RealData().other_names) {
    // Two provinces are called like a municipality, which is meant when nothing says otherwise.
    if (other.name == "Utrecht" || other.name == "Groningen") continue;
    EXPECT_EQ(Resolve(other.name).kind(), v1::RESOLUTION_KIND_UNKNOWN) << other.name << ": " << Resolve(other.name).ShortDebugString();
    EXPECT_EQ(Resolve("regio " + other.name).kind(), v1::RESOLUTION_KIND_UNKNOWN) << other.name;
  }
  for (const std::string& word : RealData().words) EXPECT_EQ(Resolve(word).codes_size(), 0) << word;
}

}  // namespace
}  // namespace peiling::registry
