#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/survey/mail_template.h"
#include "services/fieldwork/mail/merge.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAreArray;

// While it is open, and after that.
const absl::Time kOpen = *calendar::ParseLocalMinute("2026-03-20 12:00");
const absl::Time kClosed = *calendar::ParseLocalMinute("2026-04-01 12:00");

WaveDetails MakeWave() {
  auto frame = std::make_shared<Frame>();
  for (const auto& [code, title] : {std::pair("GM0310", "De Bilt"), {"GM0344", "Utrecht"}, {"GM0355", "Zeist"}}) {
    auto& municipality = frame->municipalities.emplace_back();
    municipality.set_code(code);
    municipality.set_title(title);
  }
  WaveDetails details{.frame = frame};
  details.wave.set_name("surveys/s/waves/2026");
  details.wave.set_title("Sociale (wijk)teams: peiling 2026");
  *details.wave.mutable_opens_at() = calendar::ToProto(*calendar::ParseLocalMinute("2026-03-02 09:00"));
  *details.wave.mutable_closes_at() = calendar::ToProto(*calendar::ParseLocalMinute("2026-03-30 17:00"));
  auto& plan = *details.wave.mutable_mailing_plan();
  plan.set_sender_address("peiling@vng.nl");
  plan.set_sender_name("VNG");
  plan.set_reply_to("vragen@vng.nl");
  return details;
}

v1::Invitation MakeInvitation(const std::vector<std::string>& codes) {
  v1::Invitation invitation;
  for (const std::string& code : codes) invitation.add_municipalities(code);
  return invitation;
}

survey::v1::MailTemplate Words(const std::string& text) {
  survey::v1::MailTemplate words;
  words.set_language("nl");
  words.set_subject(text);
  words.set_text(text);
  words.set_html(absl::StrCat("<p>", text, "</p>"));
  return words;
}

TEST(MergeMail, EveryFieldHasItsValue) {
  const MailReceiver receiver{.address = "a@x.nl",
                              .full_name = "A. Jansen",
                              .salutation = "Geachte mevrouw Jansen",
                              .job_title = "adviseur",
                              .link = "https://x/#t",
                              .unsubscribe_link = "https://x/u"};
  const auto values = FieldValues(kOpen, MakeWave(), MakeInvitation({"GM0344"}), receiver);
  EXPECT_THAT(values,
              ElementsAre(Pair("aanhef", "Geachte mevrouw Jansen"), Pair("afmeldlink", "https://x/u"), Pair("afzender", "VNG"),
                          Pair("algemeen", ""), Pair("antwoordadres", "vragen@vng.nl"), Pair("contact.functie", "adviseur"),
                          Pair("contact.naam", "A. Jansen"), Pair("de_gemeente", "de gemeente Utrecht"), Pair("gemeente", "Utrecht"),
                          Pair("link", "https://x/#t"), Pair("opent", "maandag 2 maart 2026 om 09.00 uur"), Pair("overgenomen", ""),
                          Pair("peiling", "Sociale (wijk)teams: peiling 2026"), Pair("sluit", "maandag 30 maart 2026 om 17.00 uur"),
                          Pair("wijzigen_tot", "maandag 30 maart 2026 om 17.00 uur")));
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  EXPECT_THAT(names, UnorderedElementsAreArray(survey::MergeFields()));
}

TEST(MergeMail, TheReadmeTellsOfEveryField) {
  std::ifstream file(MAIL_README);
  std::stringstream readme;
  readme << file.rdbuf();
  for (const std::string_view field : survey::MergeFields())
    EXPECT_NE(readme.str().find(absl::StrCat("`{{", std::string(field), "}}`")), std::string::npos) << field;
}

TEST(MergeMail, MunicipalitiesAndSalutationsReadWell) {
  const WaveDetails wave = MakeWave();
  EXPECT_EQ(FieldValues(kOpen, wave, MakeInvitation({"GM0344", "GM0355"}), {})["de_gemeente"], "de gemeenten Utrecht en Zeist");
  EXPECT_EQ(FieldValues(kOpen, wave, MakeInvitation({"GM0310", "GM0344", "GM0355"}), {})["gemeente"], "De Bilt, Utrecht en Zeist");
  EXPECT_EQ(FieldValues(kOpen, wave, MakeInvitation({"GM9999"}), {})["gemeente"], "GM9999");
  EXPECT_EQ(FieldValues(kOpen, wave, MakeInvitation({}), {})["aanhef"], "Geachte heer, mevrouw");
  EXPECT_EQ(FieldValues(kOpen, wave, MakeInvitation({}), {.full_name = "Anna de Vries"})["aanhef"], "Geachte Anna de Vries");
}

TEST(MergeMail, NothingInANameBecomesAHeaderALineOrHtml) {
  const MailReceiver receiver{
      .address = "a@x.nl\r\nBcc: b@x.nl", .full_name = "Jan\r\nBcc: b@x.nl\r\n\r\n<script>x</script>{{link}}", .link = "https://geheim"};
  const v1::MailContent mail = MergeMail(kOpen, MakeWave(), Words("Voor {{contact.naam}}"), MakeInvitation({"GM0344"}), receiver);
  for (const std::string& line :
       {mail.subject(), mail.to_name(), mail.to_address(), mail.fields().at("contact.naam"), mail.fields().at("aanhef")}) {
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << line;
  }
  EXPECT_EQ(mail.text(), "Voor Jan  Bcc: b@x.nl    <script>x</script>{{link}}");
  EXPECT_EQ(mail.html(), "<p>Voor Jan  Bcc: b@x.nl    &lt;script&gt;x&lt;/script&gt;{{link}}</p>");
  EXPECT_THAT(mail.html(), Not(HasSubstr("geheim")));
}

TEST(MergeMail, MailIsFromWhoThePlanSays) {
  const v1::MailContent mail =
      MergeMail(kOpen, MakeWave(), Words("Dag"), MakeInvitation({"GM0344"}), {.address = "a@x.nl", .full_name = "A", .link = "l"});
  EXPECT_EQ(mail.to_address(), "a@x.nl");
  EXPECT_EQ(mail.to_name(), "A");
  EXPECT_EQ(mail.from_address(), "peiling@vng.nl");
  EXPECT_EQ(mail.from_name(), "VNG");
  EXPECT_EQ(mail.reply_to(), "vragen@vng.nl");
  EXPECT_EQ(mail.language(), "nl");
  EXPECT_EQ(mail.unsubscribe_url(), "");
}

// Mail in the words there are for its kind.
v1::MailContent Ready(survey::v1::MailKind kind, MailReceiver receiver, absl::Time now = kOpen) {
  receiver.address = "a@x.nl";
  return MergeMail(now, MakeWave(), survey::DefaultTemplate(kind), MakeInvitation({"GM0344"}), receiver);
}

TEST(MergeMail, WordsReadyMadeAreWholeWithoutAnyFieldLeft) {
  for (int kind = survey::v1::MAIL_KIND_INVITATION; kind <= survey::v1::MAIL_KIND_COLLEAGUE; ++kind) {
    const auto mail = Ready(static_cast<survey::v1::MailKind>(kind), {.link = "https://x/#t"});
    EXPECT_THAT(survey::CheckMailTemplate(static_cast<survey::v1::MailKind>(kind),
                                          survey::DefaultTemplate(static_cast<survey::v1::MailKind>(kind))),
                SizeIs(0));
    for (const std::string& part : {mail.subject(), mail.text(), mail.html()}) EXPECT_THAT(part, Not(HasSubstr("{{")));
    EXPECT_THAT(mail.text(), HasSubstr("Geachte heer, mevrouw,"));
    EXPECT_THAT(mail.text(), HasSubstr("\n\nhttps://x/#t\n\n"));
    EXPECT_THAT(mail.html(), HasSubstr("<a href=\"https://x/#t\">Naar de vragenlijst</a>"));
    EXPECT_THAT(mail.text(), HasSubstr("maandag 30 maart 2026 om 17.00 uur"));
    EXPECT_THAT(mail.text(), Not(HasSubstr("\n\n\n")));
    EXPECT_THAT(mail.text(), Not(HasSubstr("afmelden")));
    EXPECT_THAT(mail.html(), Not(HasSubstr("<p></p>")));
  }
}

TEST(MergeMail, WhoCanUnsubscribeIsToldHow) {
  for (const auto kind : {survey::v1::MAIL_KIND_INVITATION, survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_KIND_EXTENSION}) {
    const auto mail = Ready(kind, {.link = "https://x/#t", .unsubscribe_link = "https://x/u?a&b"});
    EXPECT_THAT(mail.text(), HasSubstr("Dan kunt u zich afmelden:\n\nhttps://x/u?a&b"));
    EXPECT_THAT(mail.html(), HasSubstr("<a href=\"https://x/u?a&amp;b\">Afmelden</a>"));
    EXPECT_EQ(mail.unsubscribe_url(), "https://x/u?a&b");
  }
}

TEST(MergeMail, AGeneralAddressIsAskedToPassItOnAndAPersonNot) {
  for (const auto kind : {survey::v1::MAIL_KIND_INVITATION, survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_KIND_EXTENSION}) {
    const std::string passing_on = "Wilt u deze e-mail doorgeven aan wie bij de gemeente Utrecht over dit onderwerp gaat?";
    EXPECT_THAT(Ready(kind, {.general = true, .link = "l"}).text(), HasSubstr(passing_on));
    EXPECT_THAT(Ready(kind, {.general = true, .link = "l"}).text(), Not(HasSubstr("stuur hem niet door")));
    EXPECT_THAT(Ready(kind, {.link = "l"}).text(), Not(HasSubstr(passing_on)));
  }
  EXPECT_THAT(Ready(survey::v1::MAIL_KIND_INVITATION, {.link = "l"}).text(), HasSubstr("De link is alleen voor u; stuur hem niet door."));
}

TEST(MergeMail, ThanksTellOnlyWhatCanStillBeDone) {
  const std::string look = "Wilt u de antwoorden nog eens bekijken? Dat kan met uw persoonlijke link";
  const std::string change = "; tot maandag 30 maart 2026 om 17.00 uur kunt u ze daar ook nog wijzigen";
  EXPECT_THAT(Ready(survey::v1::MAIL_KIND_THANKS, {.link = "l"}).text(), HasSubstr(absl::StrCat(look, change, ":\n\nl\n\n")));
  EXPECT_THAT(Ready(survey::v1::MAIL_KIND_THANKS, {.link = "l"}, kClosed).text(), HasSubstr(absl::StrCat(look, ":\n\nl\n\n")));
  // Their link has ended.
  const auto mail = Ready(survey::v1::MAIL_KIND_THANKS, {});
  EXPECT_THAT(mail.text(), HasSubstr("voor uw medewerking.\n\nHebt u vragen?"));
  EXPECT_THAT(mail.html(), HasSubstr("voor uw medewerking.</p>\n<p>Hebt u vragen?"));
}

TEST(MergeMail, WhoTakesOverReadsThatAndAColleagueThatHelpIsAsked) {
  EXPECT_THAT(
      Ready(survey::v1::MAIL_KIND_COLLEAGUE, {.link = "l"}).text(),
      HasSubstr("\n\nEen collega vraagt u om namens de gemeente Utrecht mee te werken aan \"Sociale (wijk)teams: peiling 2026\". Met"));
  EXPECT_THAT(
      Ready(survey::v1::MAIL_KIND_COLLEAGUE, {.took_over = true, .link = "l"}).text(),
      HasSubstr(
          "\n\nEen collega heeft de vragenlijst van de gemeente Utrecht voor \"Sociale (wijk)teams: peiling 2026\" aan u overgedragen"));
}

TEST(MergeMail, SectionsAreThereWhenTheirFieldIsOrIsNot) {
  struct Case {
    const char* words;
    const char* with;
    const char* without;
  };
  const Case cases[] = {{"a{{#link}}b{{/link}}c", "abc", "ac"},
                        {"a{{^link}}b{{/link}}c", "ac", "abc"},
                        {"{{#link}}b {{link}}{{/link}}", "b l", ""},
                        {"a\n\n{{#link}}b{{/link}}\n\nc", "a\n\nb\n\nc", "a\n\nc"},
                        {"a\n\n{{#link}}b{{/link}}{{#link}}:{{/link}}\n\n{{link}}\n\nc", "a\n\nb:\n\nl\n\nc", "a\n\nc"},
                        {"{{#link}}a{{/link}}{{^link}}b{{/link}}", "a", "b"}};
  for (const auto& [words, with, without] : cases) {
    EXPECT_EQ(survey::Merge(words, {{"link", "l"}}, survey::Markup::kText), with) << words;
    EXPECT_EQ(survey::Merge(words, {{"link", ""}}, survey::Markup::kText), without) << words;
  }
}

TEST(CheckMailTemplate, SectionsEndAndDoNotStandInEachOther) {
  const auto problems = [](const std::string& text) {
    std::vector<std::string> found;
    survey::v1::MailTemplate words;
    words.set_subject("s");
    words.set_text(text);
    for (const auto& problem : survey::CheckMailTemplate(survey::v1::MAIL_KIND_THANKS, words)) found.push_back(problem.message);
    return found;
  };
  EXPECT_THAT(problems("{{#link}}a{{/link}} {{^link}}b{{/link}}"), SizeIs(0));
  EXPECT_THAT(problems("{{#link}}a"), ElementsAre("{{#link}} has no end"));
  EXPECT_THAT(problems("a{{/link}}"), ElementsAre("{{/link}} ends no section"));
  EXPECT_THAT(problems("{{#link}}a{{/sluit}}"), ElementsAre("{{/sluit}} ends no section"));
  EXPECT_THAT(problems("{{#link}}{{#sluit}}a{{/sluit}}{{/link}}"),
              ElementsAre("{{#sluit}} stands within another section", "{{/link}} ends no section"));
  EXPECT_THAT(problems("{{#linkje}}a{{/linkje}}"), SizeIs(2));
}

TEST(TemplateFor, TheLanguageOfTheReceiverGoesFirst) {
  survey::v1::MailingStep step;
  for (const char* const language : {"nl", "en", "fy-NL"}) step.add_templates()->set_language(language);
  EXPECT_EQ(TemplateFor(step, "en").language(), "en");
  EXPECT_EQ(TemplateFor(step, "en-GB").language(), "en");
  EXPECT_EQ(TemplateFor(step, "fy").language(), "fy-NL");
  EXPECT_EQ(TemplateFor(step, "de").language(), "nl");
  EXPECT_EQ(TemplateFor(step, "").language(), "nl");
}

}  // namespace
}  // namespace peiling::fieldwork
