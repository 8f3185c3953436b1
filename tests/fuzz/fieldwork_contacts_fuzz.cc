// Any bytes as a file of contacts: reading neither crashes nor hangs, every row is a good contact or says what is wrong with it, and what
// is taken out of good ones is taken in as it was. No line taken out is a formula to a spreadsheet.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/contact_csv.h"
#include "services/fieldwork/contacts/contact_fields.h"
#include "tests/fuzz/mutate.h"

namespace peiling::fieldwork {
namespace {

constexpr char kToday[] = "2026-03-24";

void CheckLine(const std::string& line) {
  csv::Reader reader({}, ';');
  std::vector<csv::Row> rows;
  ASSERT_TRUE(reader.Feed(line, rows).ok() && reader.Finish(rows).ok()) << line;
  ASSERT_EQ(rows.size(), 1u) << line;
  for (const std::string& field : rows[0].fields) {
    if (field.empty()) continue;
    EXPECT_EQ(std::string_view("=+-@\t\r").find(field[0]), std::string_view::npos) << field;
  }
}

TEST(ContactsFuzz, HoldsForAnyBytes) {
  const std::vector<std::string> corpus = {
      "gemeentecode;naam;aanhef;functie;e-mail;telefoon;taal;soort;volgorde;geldig_vanaf;geldig_tot;bron;laatst_bevestigd\n"
      "GM0363;\"Jansen, A.\";'=1+1;adviseur;a@b.nl;'+31 20 555;nl;persoon;-3;2026-01-01;2027-01-01;'';2026-03-01\n",
      "gemeente,e-mail\r\nAmsterdam,info@amsterdam.nl\r\n",
      "gemeentecode\te-mail\tnaam\n363\t\"a@b.nl\"\t\"'''@x\"\n",
      "\xEF\xBB\xBFGemeente;E-mail;Soort\nUrk;info@urk.nl;Algemeen\nUrk;\xC3\xA9@b.nl;iets\n",
  };
  fuzz::Mutator mutator(20260324, {";", "'", "'=", "+", "@", "\"", "\"\"", "\n", "\t", "2026-02-30", "24-3-2026", "\xC3\xBA", "e-mail",
                                   "naam", "persoon", std::string(300, 'x')});
  int good = 0;
  fuzz::Run(corpus, std::move(mutator), [&](const std::string& text) {
    const auto read = ReadContacts(text, "fuzz", kToday);
    if (!read.ok()) {
      const std::string reason = status::Reason(read.status());
      ASSERT_TRUE(reason == "IMPORT_MALFORMED" || reason == "IMPORT_COLUMNS" || reason == "IMPORT_ENCODING") << read.status();
      return;
    }
    std::string file = CsvHeader();
    std::vector<v1::Contact> contacts;
    for (const CsvContact& row : read->rows) {
      if (!row.problems.empty()) continue;
      ASSERT_TRUE(Problems(row.contact, kToday).empty());
      ASSERT_EQ(Given(row.contact).SerializeAsString(), row.contact.SerializeAsString());
      v1::Contact contact = row.contact;
      contact.set_name("municipalities/GM0363/contacts/1");
      const std::string line = CsvLine(contact);
      CheckLine(line);
      file += line;
      contacts.push_back(row.contact);
      ++good;
    }
    const auto again = ReadContacts(file, "fuzz", kToday);
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(again->rows.size(), contacts.size());
    for (size_t i = 0; i < contacts.size(); ++i) {
      EXPECT_EQ(again->rows[i].code, "GM0363");
      EXPECT_TRUE(again->rows[i].problems.empty()) << again->rows[i].problems[0];
      EXPECT_EQ(again->rows[i].contact.DebugString(), contacts[i].DebugString());
    }
  });
  EXPECT_GT(good, 100) << "good rows were among them";
}

}  // namespace
}  // namespace peiling::fieldwork
