#include "services/fieldwork/contacts/contact_csv.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/fieldwork/contacts/contact_fields.h"
#include "services/fieldwork/contacts/municipality_contacts.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;
using google::protobuf::FieldDescriptor;

constexpr char kSeparator = ';';
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kMaxRows = 20'000;
constexpr size_t kMaxFieldBytes = 4000;
constexpr size_t kMaxFields = 100;

constexpr std::string_view kCode = "gemeentecode";
constexpr std::string_view kMunicipality = "gemeente";
// Beside the field of the contact it is for.
struct Column {
  std::string_view name;
  std::string_view field;
};
constexpr std::array kColumns = {
    Column{"naam", "full_name"},      Column{"aanhef", "salutation"}, Column{"functie", "job_title"},
    Column{"e-mail", "email"},        Column{"telefoon", "phone"},    Column{"taal", "language"},
    Column{"soort", "kind"},          Column{"volgorde", "order"},    Column{"geldig_vanaf", "valid_from"},
    Column{"geldig_tot", "valid_to"}, Column{"bron", "source"},       Column{"laatst_bevestigd", "last_confirmed"},
};

struct Kind {
  std::string_view name;
  v1::ContactKind kind;
};
constexpr std::array kKinds = {Kind{"persoon", v1::CONTACT_KIND_PERSON}, Kind{"functie", v1::CONTACT_KIND_FUNCTION},
                               Kind{"algemeen", v1::CONTACT_KIND_GENERAL}};

const FieldDescriptor* FieldOf(std::string_view field) { return v1::Contact::descriptor()->FindFieldByName(std::string(field)); }

bool IsDay(std::string_view field) { return field == "valid_from" || field == "valid_to" || field == "last_confirmed"; }

// What people may write above a column, made comparable.
std::string Heading(std::string_view text) {
  const std::string folded = text::Fold(text);
  return folded == "email" || folded == "e mailadres" || folded == "emailadres" ? "e mail" : folded;
}

// Spreadsheets take such a field for a formula, also behind quotes that they take off.
bool LooksLikeFormula(std::string_view field) {
  const size_t begin = field.find_first_not_of('\'');
  return begin != std::string_view::npos && std::string_view("=+-@\t\r").find(field[begin]) != std::string_view::npos;
}

std::string Guard(const std::string& field) { return LooksLikeFormula(field) ? "'" + field : field; }

std::string Unguard(std::string_view field) {
  absl::string_view text = absl::StripAsciiWhitespace(absl::string_view(field.data(), field.size()));
  if (!text.empty() && text.front() == '\'' && LooksLikeFormula({text.data(), text.size()})) text.remove_prefix(1);
  return std::string(absl::StripAsciiWhitespace(text));
}

// "363" → "GM0363": spreadsheets make numbers of codes.
std::string CodeOf(const std::string& text) {
  if (!text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) {
    return absl::StrCat("GM", std::string(4 - text.size(), '0'), text);
  }
  return absl::AsciiStrToUpper(text);
}

// "24-3-2026" → "2026-03-24": spreadsheets make these of days; anything else stays as it is.
std::string DayOf(const std::string& text) {
  int day = 0;
  int month = 0;
  int year = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%2d%*1[-/]%2d%*1[-/]%4d%n", &day, &month, &year, &end) != 3 || static_cast<size_t>(end) != text.size()) {
    return text;
  }
  const std::string iso = absl::StrFormat("%04d-%02d-%02d", year, month, day);
  return names::IsDate(iso) ? iso : text;
}

// The separator that is most often in the header.
char SeparatorOf(std::string_view content) {
  const std::string_view header = content.substr(0, content.find_first_of("\r\n"));
  char best = ',';
  for (const char separator : {';', '\t'}) {
    if (std::count(header.begin(), header.end(), separator) > std::count(header.begin(), header.end(), best)) best = separator;
  }
  return best;
}

absl::StatusOr<std::vector<csv::Row>> ReadRows(std::string_view content) {
  csv::Reader reader({.max_field_bytes = kMaxFieldBytes, .max_fields = kMaxFields, .max_row_bytes = kMaxFieldBytes * kColumns.size()},
                     SeparatorOf(content));
  std::vector<csv::Row> rows;
  absl::Status read = reader.Feed(content, rows);
  if (read.ok()) read = reader.Finish(rows);
  if (!read.ok()) {
    return status::Error(StatusCode::kInvalidArgument, "IMPORT_MALFORMED", std::string(read.message()), status::Metadata(read));
  }
  if (rows.size() > kMaxRows + 1) {
    status::BadRequest bad;
    bad.Add("content", absl::StrCat(rows.size() - 1, " rows, want at most ", kMaxRows));
    return bad.ToStatus();
  }
  return rows;
}

// What the columns of a file are for: kCode, kMunicipality, or a field of the contact.
class Header {
 public:
  static absl::StatusOr<Header> Read(const csv::Row& row) {
    Header header;
    std::vector<std::string> wrong;
    for (const std::string& text : row.fields) {
      const std::string_view meaning = MeaningOf(text);
      const size_t number = header.meanings_.size() + 1;
      // Not by name: a file without a header has somebody's data there.
      if (meaning.empty()) wrong.push_back(absl::StrCat("kolom ", number, " is onbekend"));
      if (!meaning.empty() && header.Has(meaning))
        wrong.push_back(absl::StrCat("kolom ", number, " is er twee keer: \"", ColumnOf(meaning), "\""));
      header.meanings_.push_back(meaning);
    }
    if (!header.Has(kCode) && !header.Has(kMunicipality)) wrong.push_back("kolom \"gemeentecode\" of \"gemeente\" ontbreekt");
    if (!header.Has("email")) wrong.push_back("kolom \"e-mail\" ontbreekt");
    if (wrong.empty()) return header;
    return status::Error(StatusCode::kInvalidArgument, "IMPORT_COLUMNS", absl::StrJoin(wrong, "; "));
  }

  const std::vector<std::string_view>& meanings() const { return meanings_; }
  bool Has(std::string_view meaning) const { return std::find(meanings_.begin(), meanings_.end(), meaning) != meanings_.end(); }

 private:
  // "" when there is none.
  static std::string_view MeaningOf(std::string_view text) {
    const std::string heading = Heading(text);
    for (const std::string_view name : {kCode, kMunicipality}) {
      if (Heading(name) == heading) return name;
    }
    const auto column = std::find_if(kColumns.begin(), kColumns.end(), [&](const Column& c) { return Heading(c.name) == heading; });
    return column == kColumns.end() ? "" : column->field;
  }

  std::vector<std::string_view> meanings_;
};

void SetKind(const std::string& text, CsvContact& row) {
  const std::string folded = text::Fold(text);
  const auto known = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.name == folded; });
  // Who says nothing is taken for somebody, whose data are erased in time.
  row.contact.set_kind(folded.empty() ? v1::CONTACT_KIND_PERSON : known == kKinds.end() ? v1::CONTACT_KIND_UNSPECIFIED : known->kind);
}

void SetOrder(const std::string& text, CsvContact& row) {
  int32_t order = 0;
  if (!text.empty() && !absl::SimpleAtoi(text, &order)) row.problems.push_back("volgorde: is geen getal");
  row.contact.set_order(order);
}

void SetField(std::string_view meaning, const std::string& text, CsvContact& row) {
  if (meaning == kCode) {
    row.code = CodeOf(text);
  } else if (meaning == kMunicipality) {
    row.municipality = text;
  } else if (meaning == "kind") {
    SetKind(text, row);
  } else if (meaning == "order") {
    SetOrder(text, row);
  } else {
    row.contact.GetReflection()->SetString(&row.contact, FieldOf(meaning), IsDay(meaning) ? DayOf(text) : text);
  }
}

CsvContact ReadRow(const csv::Row& fields, const Header& header, const std::string& source, const std::string& today) {
  CsvContact row{.line = fields.line};
  row.contact.set_kind(v1::CONTACT_KIND_PERSON);
  const size_t wanted = header.meanings().size();
  if (fields.fields.size() != wanted) {
    row.problems.push_back(absl::StrCat("rij: ", fields.fields.size(), " velden, de kop heeft er ", wanted));
    return row;
  }
  for (size_t i = 0; i < wanted; ++i) SetField(header.meanings()[i], Unguard(fields.fields[i]), row);
  if (row.contact.source().empty()) row.contact.set_source(source);
  for (std::string& problem : ProblemsInDutch(row.contact, today)) row.problems.push_back(std::move(problem));
  return row;
}

std::string TextOf(const v1::Contact& contact, std::string_view field) {
  if (field == "order") return absl::StrCat(contact.order());
  if (field != "kind") return contact.GetReflection()->GetString(contact, FieldOf(field));
  const auto known = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.kind == contact.kind(); });
  return known == kKinds.end() ? "" : std::string(known->name);
}

}  // namespace

absl::StatusOr<CsvContacts> ReadContacts(std::string_view content, const std::string& source, const std::string& today) {
  if (!text::IsValidUtf8(content)) {
    return status::Error(StatusCode::kInvalidArgument, "IMPORT_ENCODING",
                         "het bestand is geen UTF-8: bewaar het als \"CSV UTF-8 (door scheidingstekens gescheiden)\"");
  }
  const auto rows = ReadRows(content);
  if (!rows.ok()) return rows.status();
  const auto header = Header::Read(rows->empty() ? csv::Row{} : rows->front());
  if (!header.ok()) return header.status();
  CsvContacts contacts;
  for (const Column& column : kColumns) {
    if (header->Has(column.field)) contacts.fields.emplace_back(column.field);
  }
  for (size_t i = 1; i < rows->size(); ++i) contacts.rows.push_back(ReadRow((*rows)[i], *header, source, today));
  return contacts;
}

std::string ColumnOf(std::string_view field) {
  const auto column = std::find_if(kColumns.begin(), kColumns.end(), [&](const Column& c) { return c.field == field; });
  return std::string(column == kColumns.end() ? field : column->name);
}

std::vector<std::string> ProblemsInDutch(const v1::Contact& contact, const std::string& today) {
  std::vector<std::string> problems;
  for (const FieldProblem& problem : Problems(Given(contact), today)) {
    problems.push_back(absl::StrCat(ColumnOf(problem.field), ": ", problem.dutch));
  }
  return problems;
}

std::string CsvHeader() {
  std::string line = absl::StrCat(std::string(kByteOrderMark), std::string(kCode));
  for (const Column& column : kColumns) absl::StrAppend(&line, std::string(1, kSeparator), std::string(column.name));
  return line + "\r\n";
}

std::string CsvLine(const v1::Contact& contact) {
  std::string line = MunicipalityOf(contact.name());
  for (const Column& column : kColumns) {
    line.push_back(kSeparator);
    line += csv::Quote(Guard(TextOf(contact, column.field)), kSeparator);
  }
  return line + "\r\n";
}

}  // namespace peiling::fieldwork
