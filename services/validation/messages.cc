#include "services/validation/messages.h"

#include "absl/strings/substitute.h"

namespace peiling::validation {
namespace {

struct Wording {
  const char* dutch;
  const char* english;
};

Wording WordingOf(Phrase phrase) {
  switch (phrase) {
    case Phrase::kUnknownQuestion:
      return {"Deze vraag staat niet in de vragenlijst; laat het antwoord weg.",
              "This question is not in the questionnaire; leave the answer out."};
    case Phrase::kUnknownOption:
      return {"Dit antwoord bestaat niet bij deze vraag; kies een van de antwoorden.",
              "This question has no such option; choose one of its options."};
    case Phrase::kUnknownRow:
      return {"Deze regel bestaat niet bij deze vraag; laat hem weg.", "This question has no such row; leave it out."};
    case Phrase::kWantText:
      return {"Geef als antwoord een tekst.", "Answer with a text."};
    case Phrase::kWantNumber:
      return {"Geef als antwoord een getal.", "Answer with a number."};
    case Phrase::kWantDate:
      return {"Geef als antwoord een datum die bestaat, als jjjj-mm-dd.", "Answer with a day that exists, as yyyy-mm-dd."};
    case Phrase::kWantChoice:
      return {"Kies uit de antwoorden bij deze vraag.", "Choose from the options of this question."};
    case Phrase::kWantGrid:
      return {"Kies bij elke regel een antwoord.", "Choose an option for each row."};
    case Phrase::kNumberBelow:
      return {"Geef een getal dat niet kleiner is dan $0.", "Give a number that is not below $0."};
    case Phrase::kNumberAbove:
      return {"Geef een getal dat niet groter is dan $0.", "Give a number that is not above $0."};
    case Phrase::kChooseOne:
      return {"Kies één antwoord.", "Choose one option."};
    case Phrase::kChooseAtMost:
      return {"Kies hoogstens $0 antwoorden; er zijn er $1 gekozen.", "Choose at most $0 options; $1 are chosen."};
    case Phrase::kChosenAlone:
      return {"Kies ‘$0’ alleen, of laat het weg als een ander antwoord ook past.",
              "Choose “$0” alone, or leave it out when another option fits too."};
    case Phrase::kOtherWithoutText:
      return {"Vul in wat u met ‘$0’ bedoelt.", "Write what you mean by “$0”."};
    case Phrase::kTextWithoutOther:
      return {"Er is een tekst ingevuld bij een antwoord dat niet is gekozen; kies dat antwoord of laat de tekst weg.",
              "There is a text beside an option that is not chosen; choose that option or leave the text out."};
    case Phrase::kCommentWithoutOption:
      return {"Er is een toelichting ingevuld bij een antwoord dat niet is gekozen; kies dat antwoord of laat de toelichting weg.",
              "There is a comment beside an option that is not chosen; choose that option or leave the comment out."};
    case Phrase::kNotAsked:
      return {
          "Deze vraag hoort niet bij uw eerdere antwoorden; het antwoord telt niet mee. Kijk die antwoorden na als het wel moet meetellen.",
          "Your earlier answers do not lead to this question, so the answer does not count. Check those answers if it should."};
    case Phrase::kRequired:
      return {"Beantwoord deze vraag; ze is verplicht.", "Answer this question; it is required."};
    case Phrase::kSizeClassDiffers:
      return {"De gemeente telt volgens het CBS $0 inwoners; kies de klasse waar dat aantal in valt.",
              "Statistics Netherlands counts $0 inhabitants; choose the class that number falls in."};
    case Phrase::kRepeatedQuestion:
      return {"Deze vraag is meer dan eens beantwoord; alleen het eerste antwoord telt. Laat één antwoord staan.",
              "This question is answered more than once; only the first answer counts. Keep one answer."};
    case Phrase::kRepeatedOption:
      return {"Dit antwoord is meer dan eens gekozen; kies het één keer.", "This option is chosen more than once; choose it once."};
    case Phrase::kRepeatedRow:
      return {"Deze regel is meer dan eens beantwoord; laat één antwoord staan.", "This row is answered more than once; keep one answer."};
    case Phrase::kTextTooLong:
      return {"De tekst is te lang; gebruik hoogstens 100.000 tekens.", "The text is too long; use at most 100,000 characters."};
    case Phrase::kTextNotUtf8:
      return {"De tekst bevat onleesbare tekens; typ hem opnieuw.", "The text has unreadable characters; type it again."};
  }
  return {"", ""};
}

}  // namespace

Language LanguageOf(std::string_view tag) { return tag == "en" || tag.substr(0, 3) == "en-" ? Language::kEnglish : Language::kDutch; }

std::string Say(Language language, Phrase phrase, std::string_view first, std::string_view second) {
  const Wording wording = WordingOf(phrase);
  const char* text = language == Language::kDutch ? wording.dutch : wording.english;
  return absl::Substitute(text, absl::string_view(first.data(), first.size()), absl::string_view(second.data(), second.size()));
}

std::string Grouped(Language language, int64_t count) {
  std::string digits = std::to_string(count);
  const char separator = language == Language::kDutch ? '.' : ',';
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, separator);
  return digits;
}

}  // namespace peiling::validation
