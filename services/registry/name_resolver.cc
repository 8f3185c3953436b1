#include "services/registry/name_resolver.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/common/status/errors.h"
#include "services/registry/lineage.h"

namespace peiling::registry {
namespace {

constexpr size_t kMaxTextBytes = 4096;
constexpr size_t kMaxParts = 60;
// "Nuenen, Gerwen en Nederwetten"
constexpr size_t kMaxPartsOfName = 3;
// Names shorter than this are not mended; from the second on two errors are, and up to the third the first letter must be right.
constexpr size_t kShortestMended = 5;
constexpr size_t kLong = 9;
constexpr size_t kShort = 6;
// With an article that is not its own a name must be this long: "De Krimpenerwaard", but not "De Beek".
constexpr size_t kLongWithArticle = 8;
// Id of near names that are no municipality.
constexpr int kOther = -1;

std::vector<Word> Words(std::span<const Part> parts) {
  std::vector<Word> words;
  for (const Part& part : parts) words.insert(words.end(), part.words.begin(), part.words.end());
  return words;
}

// Spellings that sound the same: "Wychen" and "Wijchen".
std::string Sound(const std::string& key) { return absl::StrReplaceAll(key, {{"ij", "y"}}); }

int ErrorsAllowed(size_t length) { return length < kShortestMended ? 0 : length < kLong ? 1 : 2; }

bool HasDigit(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view Trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Why a name that is known means no municipality.
std::string Why(const std::string& kind) {
  static const auto* const kReasons = new std::map<std::string, std::string>{
      {"province", "Dit is een provincie, geen gemeente."},
      {"country", "Dit is een land, geen gemeente."},
      {"region", "Dit is een regio of samenwerkingsverband, geen gemeente."},
      {"organisation", "Dit is een organisatie, geen gemeente."},
      {"answer", "Dit antwoord noemt geen gemeente."},
      {"former", "Dit is geen gemeente; vóór 2014 was het er wel een."},
      {"place", "Dit is een plaats of een deel ervan, geen gemeente."},
  };
  return kReasons->at(kind);
}

// "A", "A en B", "A, B en C".
std::string List(const std::vector<std::string>& names, std::string_view last = " en ") {
  if (names.empty()) return "";
  std::string list = absl::StrJoin(names.begin(), names.end() - 1, ", ");
  return absl::StrCat(list, list.empty() ? "" : std::string(last), names.back());
}

// What a name comes to on a date.
struct Settled {
  v1::ResolutionKind kind = v1::RESOLUTION_KIND_UNKNOWN;
  // The one meant, for EXACT and FORMER.
  const v1::Municipality* municipality = nullptr;
  // Those it could be (AMBIGUOUS), or what there is in its place (FORMER).
  std::vector<std::string> others;
  bool later = false;
};

Settled SettleFormer(const MunicipalityCatalog& catalog, const std::vector<const v1::Municipality*>& meant, std::string_view date) {
  // The last to end before the date; when all came later, the first to begin.
  Settled settled{.kind = v1::RESOLUTION_KIND_FORMER};
  for (const v1::Municipality* m : meant) {
    if (m->valid_to().empty() || m->valid_to() > date) continue;
    if (settled.municipality == nullptr || m->valid_to() > settled.municipality->valid_to()) settled.municipality = m;
  }
  if (settled.municipality != nullptr) {
    settled.others = DescendantsOn(catalog, *settled.municipality, date);
    return settled;
  }
  settled.later = true;
  settled.municipality =
      *std::min_element(meant.begin(), meant.end(), [](const auto* a, const auto* b) { return a->valid_from() < b->valid_from(); });
  settled.others = AncestorsOn(catalog, *settled.municipality, date);
  return settled;
}

Settled Settle(const MunicipalityCatalog& catalog, const std::vector<const v1::Municipality*>& meant, bool ambiguous,
               std::string_view date) {
  std::vector<const v1::Municipality*> existing;
  std::copy_if(meant.begin(), meant.end(), std::back_inserter(existing), [&](const auto* m) { return ExistsOn(*m, date); });
  if (!ambiguous && existing.empty()) return SettleFormer(catalog, meant, date);
  if (!ambiguous) return {.kind = v1::RESOLUTION_KIND_EXACT, .municipality = existing.front()};
  Settled settled{.kind = v1::RESOLUTION_KIND_AMBIGUOUS};
  for (const v1::Municipality* m : existing.empty() ? meant : existing) settled.others.push_back(m->code());
  std::sort(settled.others.begin(), settled.others.end());
  return settled;
}

// Turns settled names into the answer.
class Conclusion {
 public:
  Conclusion(const MunicipalityCatalog& catalog, std::string_view text, std::string_view date) : catalog_(catalog), date_(date) {
    resolution_.set_text(std::string(text));
  }

  v1::Resolution Unknown(const std::string& why) {
    resolution_.set_kind(v1::RESOLUTION_KIND_UNKNOWN);
    resolution_.set_explanation(why);
    return std::move(resolution_);
  }

  // A name was mended to `title`.
  void Mended(std::string_view read, const std::string& title) {
    std::string* correction = resolution_.mutable_correction();
    absl::StrAppend(correction, correction->empty() ? "" : "; ", std::string(read), " → ", title);
  }

  void Add(Settled settled) { settled_.push_back(std::move(settled)); }

  // `apart`: whether the text leaves open that its names are meant together.
  v1::Resolution Finish(bool apart) {
    Sort();
    if (!ambiguous_.empty()) return Ambiguous();
    if (clear_.empty()) return Former();
    if (clear_.size() == 1 && former_.empty()) return One(*clear_.begin());
    if (!former_.empty() || apart) return Ambiguous();
    return Several();
  }

 private:
  // Former ones that have become part of one that is named as well say nothing new.
  void Sort() {
    for (const Settled& each : settled_) {
      if (each.kind == v1::RESOLUTION_KIND_EXACT) clear_.insert(each.municipality->code());
      if (each.kind == v1::RESOLUTION_KIND_AMBIGUOUS) ambiguous_.insert(each.others.begin(), each.others.end());
    }
    for (const Settled& each : settled_) {
      if (each.kind != v1::RESOLUTION_KIND_FORMER) continue;
      if (each.others.size() == 1 && clear_.contains(each.others.front())) continue;
      former_.push_back(&each);
    }
  }

  std::string Title(const std::string& code) const { return catalog_.Find(code)->title(); }

  template <typename Codes>
  std::vector<std::string> Titles(const Codes& codes) const {
    std::vector<std::string> titles;
    for (const std::string& code : codes) titles.push_back(Title(code));
    return titles;
  }

  void AddCode(const std::string& code) {
    resolution_.add_codes(code);
    resolution_.add_titles(Title(code));
  }

  v1::Resolution One(const std::string& code) {
    AddCode(code);
    const bool mended = !resolution_.correction().empty();
    resolution_.set_kind(mended ? v1::RESOLUTION_KIND_CORRECTED : v1::RESOLUTION_KIND_EXACT);
    resolution_.set_explanation(mended ? absl::StrCat("Gelezen als ", Title(code), "; geen andere naam lijkt er zo op.")
                                       : absl::StrCat("Naam van de gemeente ", Title(code), "."));
    return std::move(resolution_);
  }

  v1::Resolution Several() {
    for (const std::string& code : clear_) AddCode(code);
    resolution_.set_kind(v1::RESOLUTION_KIND_SEVERAL);
    resolution_.set_explanation(absl::StrCat("Meerdere gemeenten: ", List(Titles(clear_)), "."));
    return std::move(resolution_);
  }

  v1::Resolution Ambiguous() {
    std::set<std::string> candidates = ambiguous_;
    candidates.insert(clear_.begin(), clear_.end());
    for (const Settled* each : former_) candidates.insert(each->others.begin(), each->others.end());
    resolution_.set_kind(v1::RESOLUTION_KIND_AMBIGUOUS);
    resolution_.mutable_candidates()->Assign(candidates.begin(), candidates.end());
    resolution_.set_explanation(absl::StrCat("Niet te zeggen welke gemeente bedoeld is: ", List(Titles(candidates), " of "), "."));
    return std::move(resolution_);
  }

  v1::Resolution Former() {
    std::set<std::string> former, successors, candidates;
    for (const Settled* each : former_) {
      former.insert(each->municipality->code());
      (each->later ? candidates : successors).insert(each->others.begin(), each->others.end());
    }
    for (const std::string& code : former) AddCode(code);
    resolution_.mutable_successors()->Assign(successors.begin(), successors.end());
    resolution_.mutable_candidates()->Assign(candidates.begin(), candidates.end());
    resolution_.set_kind(v1::RESOLUTION_KIND_FORMER);
    std::string explanation = absl::StrCat(List(Titles(former)), " bestond niet op ", std::string(date_), ".");
    if (!successors.empty()) absl::StrAppend(&explanation, " Ervoor in de plaats kwam: ", List(Titles(successors)), ".");
    if (!candidates.empty()) absl::StrAppend(&explanation, " Toen was dat: ", List(Titles(candidates)), ".");
    resolution_.set_explanation(explanation);
    return std::move(resolution_);
  }

  const MunicipalityCatalog& catalog_;
  const std::string_view date_;
  v1::Resolution resolution_;
  std::vector<Settled> settled_;
  std::set<std::string> clear_;
  std::set<std::string> ambiguous_;
  std::vector<const Settled*> former_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NameResolver>> NameResolver::Make(const ReferenceData& data, const MunicipalityCatalog& catalog) {
  std::unique_ptr<NameResolver> resolver(new NameResolver(data, catalog));
  if (absl::Status status = resolver->Check(); !status.ok()) return status;
  return resolver;
}

NameResolver::NameResolver(const ReferenceData& data, const MunicipalityCatalog& catalog)
    : catalog_(catalog), spelling_(data.typing_forms) {
  for (const v1::Municipality& municipality : catalog.all()) AddName(municipality.title(), {.municipalities = {&municipality}});
  for (const Alias& alias : data.aliases) {
    Meaning meaning{.municipalities = {}, .ambiguous = alias.ambiguous};
    for (const std::string& code : alias.codes) meaning.municipalities.push_back(catalog.Find(code));
    AddName(alias.text, std::move(meaning));
  }
  for (const OtherName& other : data.other_names) {
    const std::string key = Join(spelling_.Canonical(Words(CutIntoParts(other.name))));
    if (!names_.contains(key)) other_names_.emplace(key, Why(other.kind));
  }
  for (const std::string& word : data.words) words_.insert(Sound(Join(Words(CutIntoParts(word)))));
  IndexNearNames();
}

void NameResolver::AddName(std::string_view text, Meaning meaning) {
  const std::vector<Word> words = Words(CutIntoParts(text));
  const std::vector<Word> canonical = spelling_.Canonical(words);
  // Also as written, so that a misspelling of "aan den" is not far.
  AddKey(Join(words), meaning);
  AddKey(Join(canonical), meaning);
  AddKey(Join(spelling_.WithoutArticle(canonical)), meaning);
}

void NameResolver::AddKey(const std::string& key, const Meaning& meaning) {
  Meaning& known = names_[key];
  known.ambiguous |= meaning.ambiguous;
  for (const v1::Municipality* m : meaning.municipalities) {
    if (std::find(known.municipalities.begin(), known.municipalities.end(), m) == known.municipalities.end())
      known.municipalities.push_back(m);
  }
}

void NameResolver::IndexNearNames() {
  for (const auto& [key, meaning] : names_) {
    near_names_.push_back({.sound = Sound(key), .meaning = meaning});
    near_.Add(near_names_.back().sound, static_cast<int>(near_names_.size()) - 1);
  }
  for (const auto& [key, why] : other_names_) near_.Add(Sound(key), kOther);
}

absl::Status NameResolver::Check() const {
  std::string problems;
  for (const auto& [key, meaning] : names_) {
    if (meaning.ambiguous) continue;
    for (const v1::Municipality* a : meaning.municipalities) {
      for (const v1::Municipality* b : meaning.municipalities) {
        const bool meet = a->code() < b->code() && (ExistsOn(*a, b->valid_from()) || ExistsOn(*b, a->valid_from()));
        if (meet) absl::StrAppend(&problems, "\nthe name \"", key, "\" means ", a->code(), " and ", b->code(), " at the same time");
      }
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "REFERENCE_DATA_BROKEN", absl::StrCat("reference data is broken:", problems));
}

v1::Resolution NameResolver::Resolve(std::string_view text, std::string_view as_of) const {
  Conclusion conclusion(catalog_, text, as_of);
  if (text.size() > kMaxTextBytes) return conclusion.Unknown("De tekst is te lang voor een naam.");
  const std::vector<Part> parts = CutIntoParts(text);
  if (parts.empty()) return conclusion.Unknown("Er is geen naam ingevuld.");
  if (parts.size() > kMaxParts) return conclusion.Unknown("De tekst is te lang voor een naam.");

  const std::vector<Word> words = Words(parts);
  Reading whole = ReadExact(words);
  if (whole.kind == Reading::Kind::kAnother) return conclusion.Unknown(whole.why);
  std::vector<Reading> readings;
  if (whole.kind == Reading::Kind::kNothing) readings = ReadJoint(parts, false);
  if (whole.kind == Reading::Kind::kNothing && readings.empty()) whole = ReadMended(words);
  if (whole.kind == Reading::Kind::kNothing && readings.empty()) readings = ReadJoint(parts, true);
  if (whole.kind == Reading::Kind::kMeaning) {
    whole.end = text.size();
    readings.push_back(std::move(whole));
  }
  if (readings.empty()) return conclusion.Unknown("Geen gemeente met deze naam.");

  for (const Reading& reading : readings) {
    Settled settled = Settle(catalog_, reading.meaning.municipalities, reading.meaning.ambiguous, as_of);
    if (reading.mended) {
      const std::string_view read = Trimmed(text.substr(reading.begin, reading.end - reading.begin));
      conclusion.Mended(read,
                        settled.municipality != nullptr ? settled.municipality->title() : reading.meaning.municipalities.front()->title());
    }
    conclusion.Add(std::move(settled));
  }
  return conclusion.Finish(AreApart(readings));
}

bool NameResolver::AreApart(const std::vector<Reading>& readings) const {
  const auto in_parentheses = [](const Reading& reading) { return reading.before == Separator::kParenthesis; };
  if (std::any_of(readings.begin(), readings.end(), in_parentheses)) return true;
  // "Amersfoort, Utrecht": two municipalities, or one and its province.
  if (readings.size() != 2 || readings[1].before == Separator::kAnd || readings[1].before == Separator::kSlash) return false;
  const v1::Municipality& first = *readings[0].meaning.municipalities.front();
  const v1::Municipality& second = *readings[1].meaning.municipalities.front();
  return first.province() == second.title();
}

NameResolver::Reading NameResolver::ReadExact(std::span<const Word> words) const {
  Reading reading;
  const auto means = [&](Meaning meaning) {
    reading.kind = Reading::Kind::kMeaning;
    reading.meaning = std::move(meaning);
    return reading;
  };
  const auto is_other = [&](std::string why) {
    reading.kind = Reading::Kind::kAnother;
    reading.why = std::move(why);
    return reading;
  };
  const std::vector<Word> canonical = spelling_.Canonical(words);
  const std::span<const Word> core = spelling_.WithoutNoise(canonical);
  for (std::span<const Word> tried : {std::span<const Word>(canonical), core}) {
    const std::string key = Join(tried);
    if (const auto name = names_.find(key); name != names_.end()) return means(name->second);
    if (const auto other = other_names_.find(key); other != other_names_.end()) return is_other(other->second);
  }
  const Spelling::Located located = spelling_.Locate(core);
  if (!located.province.empty()) {
    if (std::optional<Meaning> meaning = FindName(spelling_.WithoutNoise(located.name))) {
      if (CouldBeSecondName(core.subspan(located.name.size()))) return reading;
      meaning = Within(*std::move(meaning), located.province);
      if (meaning->municipalities.empty()) return is_other(absl::StrCat("In ", located.province, " is geen gemeente met deze naam."));
      return means(*std::move(meaning));
    }
  }
  if (spelling_.NamesAnother(core)) return is_other(Why("region"));
  if (std::optional<Meaning> meaning = FindName(core)) return means(*std::move(meaning));
  return reading;
}

bool NameResolver::CouldBeSecondName(std::span<const Word> province) const {
  if (province.front().before == Separator::kSpace || province.front().before == Separator::kParenthesis) return false;
  return province.front().before == Separator::kAnd || names_.contains(Join(province));
}

NameResolver::Meaning NameResolver::Within(Meaning meaning, const std::string& province) {
  std::erase_if(meaning.municipalities, [&](const v1::Municipality* m) { return m->province() != province; });
  if (meaning.municipalities.size() == 1) meaning.ambiguous = false;
  return meaning;
}

NameResolver::Reading NameResolver::ReadMended(std::span<const Word> words) const {
  Reading reading;
  const std::vector<Word> canonical = spelling_.Canonical(words);
  const std::span<const Word> core = spelling_.WithoutNoise(canonical);
  const Spelling::Located located = spelling_.Locate(core);
  std::optional<Meaning> meaning;
  if (!located.province.empty() && core[located.name.size()].before != Separator::kAnd) {
    // With the province behind it a name must lie in it.
    meaning = FindNear(Join(spelling_.WithoutNoise(located.name)));
    if (meaning.has_value()) meaning = Within(*std::move(meaning), located.province);
    if (meaning.has_value() && meaning->municipalities.empty()) meaning.reset();
  } else {
    meaning = FindNear(Join(core));
    const std::span<const Word> bare = spelling_.WithoutArticle(core);
    if (!meaning.has_value() && bare.size() < core.size()) meaning = FindNear(Join(bare));
  }
  if (!meaning.has_value()) return reading;
  reading.kind = Reading::Kind::kMeaning;
  reading.mended = true;
  reading.meaning = *std::move(meaning);
  return reading;
}

std::optional<NameResolver::Meaning> NameResolver::FindName(std::span<const Word> words) const {
  const std::string key = Join(words);
  if (const auto found = names_.find(key); found != names_.end()) return found->second;
  const std::string bare = Join(spelling_.WithoutArticle(words));
  if (bare.size() == key.size() || bare.size() < kLongWithArticle) return std::nullopt;
  const auto found = names_.find(bare);
  return found == names_.end() ? std::nullopt : std::optional<Meaning>(found->second);
}

std::optional<NameResolver::Meaning> NameResolver::FindNear(const std::string& key) const {
  const std::string text = Sound(key);
  if (text.size() < kShortestMended || HasDigit(text) || words_.contains(text)) return std::nullopt;
  std::vector<NearNames::Near> near;
  near_.Find(text, ErrorsAllowed(text.size()), near);
  if (near.empty()) return std::nullopt;
  const int least =
      std::min_element(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; })->distance;
  const Meaning* meaning = nullptr;
  bool allowed = false;
  for (const NearNames::Near& each : near) {
    if (each.distance > least) continue;
    if (each.id == kOther) return std::nullopt;
    const NearName& name = near_names_[static_cast<size_t>(each.id)];
    if (meaning != nullptr && !(*meaning == name.meaning)) return std::nullopt;
    meaning = &name.meaning;
    allowed |= MayBeMended(text, name.sound, each.distance);
  }
  return allowed ? std::optional<Meaning>(*meaning) : std::nullopt;
}

bool NameResolver::MayBeMended(const std::string& text, const std::string& name, int errors) {
  const size_t shorter = std::min(text.size(), name.size());
  if (errors > ErrorsAllowed(shorter)) return false;
  return errors == 0 || text.front() == name.front() || (errors == 1 && shorter > kShort);
}

std::vector<NameResolver::Reading> NameResolver::ReadJoint(std::span<const Part> parts, bool mend) const {
  std::vector<Reading> read;
  if (parts.size() < 2) return read;
  std::vector<bool> dead(parts.size() + 1);
  if (!ReadFrom(parts, 0, mend, dead, read)) read.clear();
  return read;
}

bool NameResolver::ReadFrom(std::span<const Part> parts, size_t from, bool mend, std::vector<bool>& dead,
                            std::vector<Reading>& read) const {
  if (from == parts.size()) return true;
  if (dead[from]) return false;
  for (bool mending : {false, true}) {
    if (mending && !mend) break;
    // Longer names first: "Mook en Middelaar" before Mook.
    for (size_t count = std::min(kMaxPartsOfName, parts.size() - from); count > 0; --count) {
      const std::span<const Part> taken = parts.subspan(from, count);
      const std::vector<Word> words = Words(taken);
      Reading reading = ReadExact(words);
      if (mending && reading.kind == Reading::Kind::kNothing) reading = ReadMended(words);
      if (reading.kind != Reading::Kind::kMeaning || reading.mended != mending) continue;
      reading.begin = taken.front().begin;
      reading.end = taken.back().end;
      reading.before = taken.front().words.front().before;
      read.push_back(std::move(reading));
      if (ReadFrom(parts, from + count, mend, dead, read)) return true;
      read.pop_back();
    }
  }
  dead[from] = true;
  return false;
}

}  // namespace peiling::registry
