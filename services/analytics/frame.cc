#include "services/analytics/frame.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/analytics/snapshot.h"
#include "services/common/survey/size_class.h"

namespace peiling::analytics {

namespace {

// Dates are YYYY-MM-DD, so they compare as texts; an empty end is open.
bool IsMemberOn(const registry::v1::GroupMembership& membership, const std::string& date) {
  return membership.from() <= date && (membership.to().empty() || date < membership.to());
}

bool ShorterFirst(const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

}  // namespace

Frame::Frame(const std::vector<registry::v1::Municipality>& municipalities, const std::string& groups_date) {
  bool unknown_size = false;
  std::set<std::string> provinces;
  std::set<std::string, decltype(&ShorterFirst)> groups(&ShorterFirst);
  for (const auto& municipality : municipalities) {
    unknown_size |= municipality.facts().size_class() == survey::v1::SIZE_CLASS_UNSPECIFIED;
    if (!municipality.facts().province().empty()) provinces.insert(municipality.facts().province());
    for (const auto& membership : municipality.groups()) {
      if (IsMemberOn(membership, groups_date)) groups.insert(membership.group());
    }
  }
  const auto add_class = [this](ClassKind kind, const std::string& code, const std::string& label) {
    classes_.push_back({kind, code, label, {}});
  };
  for (int size = survey::v1::SIZE_CLASS_UNDER_50K; size <= survey::v1::SIZE_CLASS_200K_AND_OVER; ++size) {
    const auto size_class = static_cast<survey::v1::SizeClass>(size);
    add_class(ClassKind::kSizeClass, survey::SizeClassCode(size_class), survey::SizeClassLabel(size_class));
  }
  if (unknown_size) {
    add_class(ClassKind::kSizeClass, survey::SizeClassCode(survey::v1::SIZE_CLASS_UNSPECIFIED),
              survey::SizeClassLabel(survey::v1::SIZE_CLASS_UNSPECIFIED));
  }
  for (const auto& province : provinces) add_class(ClassKind::kProvince, province, province);
  for (const auto& group : groups) add_class(ClassKind::kGroup, group, group);

  classes_of_.resize(municipalities.size());
  for (const auto& municipality : municipalities) {
    const auto index = static_cast<MunicipalityIndex>(codes_.size());
    codes_.push_back(municipality.code());
    by_code_[municipality.code()] = index;
    all_.Set(index);
    AddToClass(index, ClassKind::kSizeClass, survey::SizeClassCode(municipality.facts().size_class()));
    AddToClass(index, ClassKind::kProvince, municipality.facts().province());
    for (const auto& membership : municipality.groups()) {
      if (IsMemberOn(membership, groups_date)) AddToClass(index, ClassKind::kGroup, membership.group());
    }
  }
  fingerprint_ = Fingerprint();
}

// Neither codes nor names of classes have control characters.
std::string Frame::Fingerprint() const {
  std::string text;
  for (const auto& of_class : classes_) absl::StrAppend(&text, static_cast<int>(of_class.kind), "\t", of_class.code, "\n");
  for (size_t i = 0; i < codes_.size(); ++i) absl::StrAppend(&text, codes_[i], "\t", absl::StrJoin(classes_of_[i], ","), "\n");
  return Sha256(text);
}

void Frame::AddToClass(MunicipalityIndex municipality, ClassKind kind, const std::string& code) {
  const int position = FindClass(kind, code);
  if (position < 0) return;  // A municipality whose province is not known.
  classes_[position].municipalities.Set(municipality);
  classes_of_[municipality].push_back(position);
}

MunicipalityIndex Frame::Find(const std::string& code) const {
  const auto found = by_code_.find(code);
  return found == by_code_.end() ? kNotInFrame : found->second;
}

int Frame::FindClass(ClassKind kind, const std::string& code) const {
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (classes_[i].kind == kind && classes_[i].code == code) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace peiling::analytics
