// Contacts as CSV: what people take in and out (README.md has the columns). Pure, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/contacts.pb.h"

namespace peiling::fieldwork {

// A row as read.
struct CsvContact {
  // On which it begins, from 1.
  int64_t line = 0;
  // "GM0363", or as typed when it is no code; may be empty.
  std::string code;
  // As typed; may be empty.
  std::string municipality;
  v1::Contact contact;
  // What is wrong by itself, in Dutch, by column.
  std::vector<std::string> problems;
};

struct CsvContacts {
  // Fields of the contact there are columns for, by name; others say nothing of it.
  std::vector<std::string> fields;
  std::vector<CsvContact> rows;
};

// `source`: of rows without one of their own; `today`: YYYY-MM-DD. No error and no problem quotes what stands in the file, its header
// included, which may be missing. Errors as the RPC: IMPORT_MALFORMED (metadata: line, column), IMPORT_COLUMNS, IMPORT_ENCODING;
// INVALID_REQUEST beyond 20,000 rows.
absl::StatusOr<CsvContacts> ReadContacts(std::string_view content, const std::string& source, const std::string& today);

// "e-mail" of field "email".
std::string ColumnOf(std::string_view field);
// Problems(Given(contact)) by column: "e-mail: ontbreekt".
std::vector<std::string> ProblemsInDutch(const v1::Contact& contact, const std::string& today);

// The header of what is taken out, with a byte order mark: spreadsheets else take UTF-8 for something else.
std::string CsvHeader();
// A line of it. Fields that a spreadsheet would take for a formula begin with a quote that ReadContacts takes off again.
std::string CsvLine(const v1::Contact& contact);

}  // namespace peiling::fieldwork
