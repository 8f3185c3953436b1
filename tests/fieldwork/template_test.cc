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
using testing::UnorderedElementsAreArray;

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
  const MailReceiver receiver{
      .address = "a@x.nl", .full_name = "A. Jansen", .salutation = "Geachte mevrouw Jansen", .job_title = "adviseur"};
  const auto values = FieldValues(MakeWave(), MakeInvitation({"GM0344"}), receiver, "https://x/#t");
  EXPECT_THAT(values, ElementsAre(Pair("aanhef", "Geachte mevrouw Jansen"), Pair("afzender", "VNG"), Pair("antwoordadres", "vragen@vng.nl"),
                                  Pair("contact.functie", "adviseur"), Pair("contact.naam", "A. Jansen"),
                                  Pair("de_gemeente", "de gemeente Utrecht"), Pair("gemeente", "Utrecht"), Pair("link", "https://x/#t"),
                                  Pair("opent", "maandag 2 maart 2026 om 09.00 uur"), Pair("peiling", "Sociale (wijk)teams: peiling 2026"),
                                  Pair("sluit", "maandag 30 maart 2026 om 17.00 uur")));
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  EXPECT_THAT(names, UnorderedElementsAreArray(survey::MergeFields()));
}

TEST(MergeMail, TheReadmeTellsOfEveryField) {
  std::ifstream file(MAIL_README);
  std::stringstream readme;
  readme << file.rdbuf();
  for (const std::string_view field : survey::MergeFields())
    EXPECT_THAT(readme.str(), HasSubstr(absl::StrCat("`{{", std::string(field), "}}`")));
}

TEST(MergeMail, MunicipalitiesAndSalutationsReadWell) {
  const WaveDetails wave = MakeWave();
  EXPECT_EQ(FieldValues(wave, MakeInvitation({"GM0344", "GM0355"}), {}, "")["de_gemeente"], "de gemeenten Utrecht en Zeist");
  EXPECT_EQ(FieldValues(wave, MakeInvitation({"GM0310", "GM0344", "GM0355"}), {}, "")["gemeente"], "De Bilt, Utrecht en Zeist");
  EXPECT_EQ(FieldValues(wave, MakeInvitation({"GM9999"}), {}, "")["gemeente"], "GM9999");
  EXPECT_EQ(FieldValues(wave, MakeInvitation({}), {}, "")["aanhef"], "Geachte heer, mevrouw");
  EXPECT_EQ(FieldValues(wave, MakeInvitation({}), {.full_name = "Anna de Vries"}, "")["aanhef"], "Geachte Anna de Vries");
}

TEST(MergeMail, NothingInANameBecomesAHeaderALineOrHtml) {
  const MailReceiver receiver{.address = "a@x.nl\r\nBcc: b@x.nl", .full_name = "Jan\r\nBcc: b@x.nl\r\n\r\n<script>x</script>{{link}}"};
  const v1::MailContent mail =
      MergeMail(MakeWave(), Words("Voor {{contact.naam}}"), MakeInvitation({"GM0344"}), receiver, "https://geheim");
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
      MergeMail(MakeWave(), Words("Dag"), MakeInvitation({"GM0344"}), {.address = "a@x.nl", .full_name = "A"}, "l");
  EXPECT_EQ(mail.to_address(), "a@x.nl");
  EXPECT_EQ(mail.to_name(), "A");
  EXPECT_EQ(mail.from_address(), "peiling@vng.nl");
  EXPECT_EQ(mail.from_name(), "VNG");
  EXPECT_EQ(mail.reply_to(), "vragen@vng.nl");
  EXPECT_EQ(mail.language(), "nl");
  EXPECT_EQ(mail.unsubscribe_url(), "");
}

TEST(MergeMail, WordsReadyMadeAreWholeWithoutAnyFieldLeft) {
  for (int kind = survey::v1::MAIL_KIND_INVITATION; kind <= survey::v1::MAIL_KIND_COLLEAGUE; ++kind) {
    const v1::MailContent mail = MergeMail(MakeWave(), survey::DefaultTemplate(static_cast<survey::v1::MailKind>(kind)),
                                           MakeInvitation({"GM0344"}), {.address = "a@x.nl"}, "https://x/#t");
    for (const std::string& part : {mail.subject(), mail.text(), mail.html()}) EXPECT_THAT(part, Not(HasSubstr("{{")));
    EXPECT_THAT(mail.text(), HasSubstr("Geachte heer, mevrouw,"));
    EXPECT_THAT(mail.text(), HasSubstr("\n\nhttps://x/#t\n\n"));
    EXPECT_THAT(mail.html(), HasSubstr("<a href=\"https://x/#t\">Naar de vragenlijst</a>"));
    EXPECT_THAT(mail.text(), HasSubstr("maandag 30 maart 2026 om 17.00 uur"));
  }
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
