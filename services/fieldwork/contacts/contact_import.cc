#include "services/fieldwork/contacts/contact_import.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/fieldwork/contacts/contact_csv.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

using registry::v1::Resolution;

// Rows of a report.
constexpr size_t kMaxReported = 1000;

// A row and what will be reported of it: refused when there is something wrong with it already.
struct Row {
  CsvContact csv;
  v1::ContactRow report;
  std::string canonical;

  bool good() const { return report.outcome() != v1::CONTACT_OUTCOME_REFUSED; }
  void Refuse(const std::string& problem) {
    report.set_outcome(v1::CONTACT_OUTCOME_REFUSED);
    report.add_problems(problem);
  }
};

// Municipalities as the registry knows them.
struct Known {
  std::set<std::string> codes;
  std::map<std::string, Resolution> by_text;
  std::string day;
};

absl::StatusOr<Known> Ask(const MunicipalityLookup& registry, const std::vector<CsvContact>& rows, const std::string& day,
                          const MakeContext& make_context) {
  std::set<std::string> texts;
  for (const CsvContact& row : rows) {
    if (!row.municipality.empty()) texts.insert(row.municipality);
  }
  auto codes = registry.CodesOn(day, make_context);
  if (!codes.ok()) return codes.status();
  auto resolutions = registry.Resolve({texts.begin(), texts.end()}, day, make_context);
  if (!resolutions.ok()) return resolutions.status();
  Known known{.codes = *std::move(codes), .by_text = {}, .day = day};
  auto resolution = resolutions->begin();
  for (const std::string& text : texts) known.by_text[text] = std::move(*resolution++);
  return known;
}

// The one a text stands for; "" when it does not stand for one.
std::string CodeOf(const Resolution& resolution) {
  const bool one = resolution.kind() == registry::v1::RESOLUTION_KIND_EXACT || resolution.kind() == registry::v1::RESOLUTION_KIND_CORRECTED;
  return one && resolution.codes_size() == 1 ? resolution.codes(0) : "";
}

// Why a text stands for no municipality, without the text: what stands in the wrong column may be somebody's name.
std::string WhyNone(const Resolution& resolution, const std::string& day) {
  switch (resolution.kind()) {
    case registry::v1::RESOLUTION_KIND_AMBIGUOUS:
      return absl::StrCat("kan ", absl::StrJoin(resolution.candidates(), " of "), " zijn");
    case registry::v1::RESOLUTION_KIND_SEVERAL:
      return absl::StrCat("noemt er meer dan één: ", absl::StrJoin(resolution.codes(), ", "));
    case registry::v1::RESOLUTION_KIND_FORMER:
      return absl::StrCat(absl::StrJoin(resolution.codes(), ", "), " is geen gemeente meer op ", day, "; opgegaan in ",
                          absl::StrJoin(resolution.successors(), ", "));
    default:
      return absl::StrCat("is geen gemeente op ", day);
  }
}

// By its code, which a name beside it may not contradict; it need not be clear by itself ("Bergen").
void PlaceByCode(const Known& known, Row& row) {
  if (!known.codes.contains(row.csv.code)) {
    return row.Refuse(absl::StrCat("gemeentecode: is geen gemeente op ", known.day));
  }
  row.report.set_municipality("municipalities/" + row.csv.code);
  if (row.csv.municipality.empty()) return;
  const std::string named = CodeOf(known.by_text.at(row.csv.municipality));
  if (!named.empty() && named != row.csv.code) {
    row.Refuse(absl::StrCat("gemeente: is ", named, ", niet ", row.csv.code));
  }
}

void PlaceByName(const Known& known, Row& row) {
  if (row.csv.municipality.empty()) return row.Refuse("gemeente: ontbreekt");
  const Resolution& resolution = known.by_text.at(row.csv.municipality);
  row.csv.code = CodeOf(resolution);
  if (row.csv.code.empty()) {
    return row.Refuse(absl::StrCat("gemeente: ", WhyNone(resolution, known.day)));
  }
  row.report.set_municipality("municipalities/" + row.csv.code);
  if (resolution.kind() == registry::v1::RESOLUTION_KIND_CORRECTED) {
    row.report.add_problems(absl::StrCat("gemeente: verbeterd, gelezen als ", row.csv.code));
  }
}

std::vector<Row> Place(std::vector<CsvContact> contacts, const Known& known) {
  std::vector<Row> rows;
  // The first row with an address of a municipality counts.
  std::map<std::pair<std::string, std::string>, int64_t> lines;
  for (CsvContact& contact : contacts) {
    Row row{.csv = std::move(contact)};
    row.report.set_line(row.csv.line);
    row.canonical = CanonicalAddress(row.csv.contact.email()).value_or("");
    row.csv.code.empty() ? PlaceByName(known, row) : PlaceByCode(known, row);
    for (const std::string& problem : row.csv.problems) row.Refuse(problem);
    if (row.good()) {
      const auto [first, fresh] = lines.emplace(std::pair(row.csv.code, row.canonical), row.csv.line);
      if (!fresh) row.Refuse(absl::StrCat("e-mail: staat voor deze gemeente ook op regel ", first->second));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// The fields there are columns for, laid over those of the contact there is.
v1::Contact Merge(v1::Contact contact, const v1::Contact& row, const std::vector<std::string>& fields) {
  for (const std::string& name : fields) {
    const auto* const field = v1::Contact::descriptor()->FindFieldByName(name);
    if (name == "kind") {
      contact.set_kind(row.kind());
    } else if (name == "order") {
      contact.set_order(row.order());
    } else {
      contact.GetReflection()->SetString(&contact, field, row.GetReflection()->GetString(row, field));
    }
  }
  return contact;
}

std::string WhyNot(const absl::Status& status) {
  if (status::Reason(status) != "TOO_MANY_CONTACTS") return "rij: kan niet worden overgenomen";
  return absl::StrCat("rij: de gemeente heeft al ", MunicipalityContacts::kMost, " contacten");
}

// Takes in a good row.
void Apply(const std::vector<std::string>& fields, absl::Time now, MunicipalityContacts& municipality, Row& row) {
  const std::string name = municipality.WithAddress(row.canonical);
  absl::StatusOr<v1::Contact> after;
  if (name.empty()) {
    after = municipality.Add(row.csv.contact, now);
    row.report.set_outcome(v1::CONTACT_OUTCOME_ADDED);
  } else {
    const v1::Contact before = *municipality.Find(name);
    const v1::Contact merged = Merge(before, row.csv.contact, fields);
    // What is right in the file need not be beside what was there.
    for (const std::string& problem : ProblemsInDutch(merged, calendar::DayOf(now))) row.Refuse(problem);
    if (!row.good()) return;
    after = municipality.Update(name, merged, "", now);
    const bool same = after.ok() && after->etag() == before.etag();
    row.report.set_outcome(same ? v1::CONTACT_OUTCOME_UNCHANGED : v1::CONTACT_OUTCOME_UPDATED);
  }
  if (!after.ok()) return row.Refuse(WhyNot(after.status()));
  row.report.set_contact(after->name());
}

// None of these is taken in, since others have errors.
void RefuseAll(std::vector<Row>& rows) {
  for (Row& row : rows) {
    if (!row.good() || row.report.outcome() == v1::CONTACT_OUTCOME_UNCHANGED) continue;
    if (row.report.outcome() == v1::CONTACT_OUTCOME_ADDED) row.report.clear_contact();
    row.Refuse("rij: niet overgenomen, omdat andere rijen fouten hebben");
  }
}

void Count(v1::ContactOutcome outcome, v1::ImportContactsResponse& response) {
  response.set_total(response.total() + 1);
  response.set_added(response.added() + (outcome == v1::CONTACT_OUTCOME_ADDED ? 1 : 0));
  response.set_unchanged(response.unchanged() + (outcome == v1::CONTACT_OUTCOME_UNCHANGED ? 1 : 0));
  response.set_updated(response.updated() + (outcome == v1::CONTACT_OUTCOME_UPDATED ? 1 : 0));
  response.set_refused(response.refused() + (outcome == v1::CONTACT_OUTCOME_REFUSED ? 1 : 0));
}

v1::ImportContactsResponse Report(std::vector<Row> rows, bool dry_run) {
  v1::ImportContactsResponse response;
  for (Row& row : rows) {
    if (dry_run && row.report.outcome() == v1::CONTACT_OUTCOME_ADDED) row.report.clear_contact();
    Count(row.report.outcome(), response);
    const bool wanted = rows.size() <= kMaxReported || row.report.problems_size() > 0;
    if (wanted && static_cast<size_t>(response.rows_size()) < kMaxReported) *response.add_rows() = std::move(row.report);
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::ImportContactsResponse> ContactImport::Run(const v1::ImportContactsRequest& request, const MakeContext& make_context) {
  const absl::Time now = clock_();
  const std::string today = calendar::DayOf(now);
  auto file = ReadContacts(request.content(), request.source(), today);
  if (!file.ok()) return file.status();
  const auto known = Ask(municipalities_, file->rows, request.as_of().empty() ? today : request.as_of(), make_context);
  if (!known.ok()) return known.status();
  const std::vector<Row> placed = Place(std::move(file->rows), *known);

  std::set<std::string> codes;
  for (const Row& row : placed) {
    if (row.good()) codes.insert(row.csv.code);
  }
  v1::ImportContactsResponse response;
  const auto edit = [&](std::vector<MunicipalityContacts>& municipalities) -> absl::StatusOr<bool> {
    std::map<std::string, MunicipalityContacts*> by_code;
    for (MunicipalityContacts& municipality : municipalities) by_code[municipality.code()] = &municipality;
    std::vector<Row> rows = placed;
    for (Row& row : rows) {
      if (row.good()) Apply(file->fields, now, *by_code.at(row.csv.code), row);
    }
    const bool none = request.all_or_nothing() && !std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.good(); });
    if (none) RefuseAll(rows);
    response = Report(std::move(rows), request.dry_run());
    return !request.dry_run() && !none;
  };
  const absl::Status done = contacts_.Run({.municipalities = {codes.begin(), codes.end()},
                                           .request_id = request.dry_run() ? "" : request.request_id(),
                                           .digest = storage::DigestOf(request),
                                           .edit = edit},
                                          response);
  if (!done.ok()) return done;
  return response;
}

}  // namespace peiling::fieldwork
