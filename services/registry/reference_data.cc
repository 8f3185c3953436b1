#include "services/registry/reference_data.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"

#ifndef PEILING_REGISTRY_SOURCE_DATA
#error "the build says where the source tree's data folder is"
#endif

namespace peiling::registry {
namespace {

using RoleByName = std::map<std::string, TypingForm::Role, std::less<>>;

const RoleByName& Roles() {
  static const auto* const kRoles = new RoleByName{
      {"same", TypingForm::Role::kSame},
      {"noise", TypingForm::Role::kNoise},
      {"article", TypingForm::Role::kArticle},
      {"link", TypingForm::Role::kLink},
      {"province word", TypingForm::Role::kProvinceWord},
      {"whole", TypingForm::Role::kWhole},
      {"province", TypingForm::Role::kProvince},
  };
  return *kRoles;
}

bool IsCode(std::string_view code) {
  return code.size() == 6 && code.starts_with("GM") &&
         std::all_of(code.begin() + 2, code.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> Codes(const std::string& field) { return absl::StrSplit(field, ' ', absl::SkipEmpty()); }

// Reads the files of one folder; every problem is noted, none ends the reading.
class Loader {
 public:
  explicit Loader(std::string folder) : folder_(std::move(folder)) {}

  absl::StatusOr<ReferenceData> Load() {
    LoadMunicipalities();
    CheckSuccessors();
    LoadPopulation();
    LoadGroups();
    LoadAliases();
    LoadOtherNames();
    LoadWords();
    LoadTypingForms();
    if (problems_.empty()) return std::move(data_);
    const size_t shown = std::min(problems_.size(), kMaxProblems);
    std::string list = absl::StrJoin(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(shown), "\n");
    if (shown < problems_.size()) absl::StrAppend(&list, "\nand ", problems_.size() - shown, " more");
    return status::Error(absl::StatusCode::kFailedPrecondition, "REFERENCE_DATA_BROKEN",
                         absl::StrCat("reference data in ", folder_, " is broken:\n", list), {{"folder", folder_}});
  }

 private:
  static constexpr size_t kMaxProblems = 15;

  // One file; none of its rows when it cannot be read.
  csv::Table Open(const std::string& file, const std::vector<std::string>& columns) {
    file_ = file;
    absl::StatusOr<csv::Table> table = csv::Table::Load(absl::StrCat(folder_, "/", file), columns);
    if (table.ok()) return *std::move(table);
    problems_.emplace_back(table.status().message());
    return csv::Table();
  }

  void Problem(int64_t line, const std::string& what) { problems_.push_back(absl::StrCat(file_, ":", line, ": ", what)); }

  v1::Municipality* Find(const std::string& code) {
    const auto found = index_.find(code);
    return found == index_.end() ? nullptr : &data_.municipalities[found->second];
  }

  // The municipality of a code, or null and a problem.
  v1::Municipality* Known(int64_t line, const std::string& code) {
    v1::Municipality* municipality = Find(code);
    if (municipality == nullptr) Problem(line, absl::StrCat("municipality \"", code, "\" is not known"));
    return municipality;
  }

  void CheckDate(int64_t line, const std::string& date, bool may_be_empty) {
    if (!(date.empty() && may_be_empty) && !names::IsDate(date)) Problem(line, absl::StrCat("\"", date, "\", want a day as YYYY-MM-DD"));
  }

  void CheckPeriod(int64_t line, const std::string& from, const std::string& to) {
    CheckDate(line, from, true);
    CheckDate(line, to, true);
    if (!to.empty() && to <= from) Problem(line, absl::StrCat("ends (", to, ") before it begins (", from, ")"));
  }

  void LoadMunicipalities() {
    const csv::Table table = Open("municipalities.csv", {"code", "name", "province", "valid_from", "valid_to", "successors"});
    for (size_t i = 0; i < table.size(); ++i) {
      v1::Municipality m;
      m.set_code(table.at(i, "code"));
      m.set_name(absl::StrCat("municipalities/", m.code()));
      m.set_title(table.at(i, "name"));
      m.set_province(table.at(i, "province"));
      m.set_valid_from(table.at(i, "valid_from"));
      m.set_valid_to(table.at(i, "valid_to"));
      for (const std::string& successor : Codes(table.at(i, "successors"))) m.add_successors(successor);
      if (!IsCode(m.code())) Problem(table.line(i), absl::StrCat("code \"", m.code(), "\", want GM and four digits"));
      if (!lines_.emplace(m.code(), table.line(i)).second) Problem(table.line(i), absl::StrCat("code ", m.code(), " stands there twice"));
      if (m.title().empty() || m.province().empty()) Problem(table.line(i), "name and province must not be empty");
      CheckPeriod(table.line(i), m.valid_from(), m.valid_to());
      if (m.valid_to().empty() != m.successors().empty())
        Problem(table.line(i), "a municipality has successors when it has ended, and then alone");
      data_.municipalities.push_back(std::move(m));
    }
    if (table.size() == 0) problems_.push_back(absl::StrCat(file_, ": no municipalities"));
    std::sort(data_.municipalities.begin(), data_.municipalities.end(), [](const auto& a, const auto& b) { return a.code() < b.code(); });
    for (size_t i = 0; i < data_.municipalities.size(); ++i) index_.emplace(data_.municipalities[i].code(), i);
  }

  // Also what keeps lineages from running in circles: a successor exists on the day its predecessor does no more.
  void CheckSuccessors() {
    std::map<std::string, std::set<std::string>> predecessors;
    for (const v1::Municipality& m : data_.municipalities) {
      for (const std::string& code : m.successors()) {
        const v1::Municipality* successor = Known(lines_[m.code()], code);
        if (successor == nullptr) continue;
        const bool exists =
            successor->valid_from() <= m.valid_to() && (successor->valid_to().empty() || m.valid_to() < successor->valid_to());
        if (!exists) Problem(lines_[m.code()], absl::StrCat("successor ", code, " does not exist on ", m.valid_to()));
        predecessors[code].insert(m.code());
      }
    }
    for (const auto& [code, codes] : predecessors) Find(code)->mutable_predecessors()->Assign(codes.begin(), codes.end());
  }

  void LoadPopulation() {
    const csv::Table table = Open("population.csv", {"code", "date", "inhabitants"});
    for (size_t i = 0; i < table.size(); ++i) {
      v1::Municipality* municipality = Known(table.line(i), table.at(i, "code"));
      CheckDate(table.line(i), table.at(i, "date"), false);
      int64_t count = 0;
      // Not every year is known for every municipality.
      if (table.at(i, "inhabitants").empty()) continue;
      if (!absl::SimpleAtoi(table.at(i, "inhabitants"), &count) || count <= 0 || count > 100'000'000) {
        Problem(table.line(i), absl::StrCat("inhabitants \"", table.at(i, "inhabitants"), "\", want a number of people"));
      }
      if (municipality == nullptr) continue;
      v1::Inhabitants* inhabitants = municipality->add_inhabitants();
      inhabitants->set_date(table.at(i, "date"));
      inhabitants->set_count(count);
      if (!counted_.emplace(municipality->code(), inhabitants->date()).second) Problem(table.line(i), "counted twice on one day");
    }
    for (v1::Municipality& m : data_.municipalities) {
      std::sort(m.mutable_inhabitants()->begin(), m.mutable_inhabitants()->end(),
                [](const auto& a, const auto& b) { return a.date() < b.date(); });
    }
  }

  void LoadGroups() {
    const csv::Table table = Open("groups.csv", {"group", "code", "from", "to"});
    for (size_t i = 0; i < table.size(); ++i) {
      v1::Municipality* municipality = Known(table.line(i), table.at(i, "code"));
      CheckPeriod(table.line(i), table.at(i, "from"), table.at(i, "to"));
      if (table.at(i, "group").empty()) Problem(table.line(i), "group must not be empty");
      if (municipality == nullptr) continue;
      v1::GroupMembership* membership = municipality->add_groups();
      membership->set_group(table.at(i, "group"));
      membership->set_from(table.at(i, "from"));
      membership->set_to(table.at(i, "to"));
    }
  }

  void LoadAliases() {
    const csv::Table table = Open("aliases.csv", {"alias", "codes", "ambiguous", "kind"});
    std::map<std::string, std::set<std::string>> texts;
    std::set<std::string> seen;
    for (size_t i = 0; i < table.size(); ++i) {
      Alias alias{.text = table.at(i, "alias"), .codes = Codes(table.at(i, "codes")), .ambiguous = table.at(i, "ambiguous") == "yes"};
      if (text::Fold(alias.text).empty()) Problem(table.line(i), "alias must not be empty");
      if (!seen.insert(text::Fold(alias.text)).second) Problem(table.line(i), absl::StrCat("\"", alias.text, "\" stands there twice"));
      if (!alias.ambiguous && table.at(i, "ambiguous") != "no") Problem(table.line(i), "ambiguous must be yes or no");
      if (alias.codes.size() < (alias.ambiguous ? 2 : 1)) Problem(table.line(i), "too few codes");
      for (const std::string& code : alias.codes) {
        if (Known(table.line(i), code) != nullptr && alias.codes.size() == 1) texts[code].insert(alias.text);
      }
      data_.aliases.push_back(std::move(alias));
    }
    for (const auto& [code, set] : texts) Find(code)->mutable_aliases()->Assign(set.begin(), set.end());
  }

  void LoadOtherNames() {
    static const std::set<std::string> kKinds = {"province", "country", "region", "organisation", "answer", "former", "place"};
    const csv::Table table = Open("other_names.csv", {"name", "kind", "source"});
    for (size_t i = 0; i < table.size(); ++i) {
      OtherName other{.name = table.at(i, "name"), .kind = table.at(i, "kind")};
      if (text::Fold(other.name).empty()) Problem(table.line(i), "name must not be empty");
      if (!kKinds.contains(other.kind)) Problem(table.line(i), absl::StrCat("kind \"", other.kind, "\" is not known"));
      data_.other_names.push_back(std::move(other));
    }
  }

  void LoadWords() {
    const csv::Table table = Open("words.csv", {"word"});
    for (size_t i = 0; i < table.size(); ++i) data_.words.push_back(table.at(i, "word"));
  }

  void LoadTypingForms() {
    const csv::Table table = Open("typing_forms.csv", {"written", "role", "means"});
    std::set<std::string> provinces;
    for (const v1::Municipality& m : data_.municipalities) provinces.insert(m.province());
    for (size_t i = 0; i < table.size(); ++i) {
      const auto role = Roles().find(table.at(i, "role"));
      const std::string& written = table.at(i, "written");
      if (role == Roles().end()) {
        Problem(table.line(i), absl::StrCat("role \"", table.at(i, "role"), "\" is not known"));
        continue;
      }
      if (written.empty() || text::Fold(written) != written) Problem(table.line(i), "what is written must be folded and not empty");
      TypingForm form{.written = absl::StrSplit(written, ' '), .role = role->second, .means = table.at(i, "means")};
      if (form.role == TypingForm::Role::kProvince && !provinces.contains(form.means)) {
        Problem(table.line(i), absl::StrCat("province \"", form.means, "\" is not known"));
      }
      data_.typing_forms.push_back(std::move(form));
    }
  }

  const std::string folder_;
  std::string file_;
  std::vector<std::string> problems_;
  ReferenceData data_;
  absl::flat_hash_map<std::string, size_t> index_;
  // Where each municipality stands in its file.
  absl::flat_hash_map<std::string, int64_t> lines_;
  std::set<std::pair<std::string, std::string>> counted_;
};

}  // namespace

absl::StatusOr<ReferenceData> LoadReferenceData(const std::string& folder) { return Loader(folder).Load(); }

std::string DefaultDataFolder() {
  std::error_code error;
  if (std::filesystem::is_directory(PEILING_REGISTRY_SOURCE_DATA, error)) return PEILING_REGISTRY_SOURCE_DATA;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "share" / "peiling" / "registry").string();
}

}  // namespace peiling::registry
