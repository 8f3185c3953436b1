#include "services/fieldwork/progress/strata.h"

#include <map>
#include <utility>

#include "services/common/survey/size_class.h"

namespace peiling::fieldwork {
namespace {

using Members = std::vector<size_t>;

// Dates are YYYY-MM-DD, so they compare as texts; an empty end is open.
bool IsMemberOn(const registry::v1::GroupMembership& membership, const std::string& date) {
  return membership.from() <= date && (membership.to().empty() || date < membership.to());
}

}  // namespace

std::vector<Stratum> StrataOf(const WaveDetails& wave) {
  const std::string& groups_date = wave.wave.groups_date().empty() ? wave.wave.frame_date() : wave.wave.groups_date();
  Members all;
  std::map<int, Members> sizes;
  for (int size = survey::v1::SIZE_CLASS_UNDER_50K; size <= survey::v1::SIZE_CLASS_200K_AND_OVER; ++size) sizes[size];
  std::map<std::string, Members> provinces;
  // Shorter names first.
  std::map<std::pair<size_t, std::string>, Members> groups;
  const auto& municipalities = wave.frame->municipalities;
  for (size_t i = 0; i < municipalities.size(); ++i) {
    all.push_back(i);
    sizes[municipalities[i].facts().size_class()].push_back(i);
    if (const auto& province = municipalities[i].facts().province(); !province.empty()) provinces[province].push_back(i);
    for (const auto& membership : municipalities[i].groups()) {
      if (IsMemberOn(membership, groups_date)) groups[{membership.group().size(), membership.group()}].push_back(i);
    }
  }
  // The unknown ones come after those that are known.
  auto unknown = sizes.extract(survey::v1::SIZE_CLASS_UNSPECIFIED);

  std::vector<Stratum> strata = {{"total", "total", "Totaal", std::move(all)}};
  const auto add_size = [&](int size, Members members) {
    const auto size_class = static_cast<survey::v1::SizeClass>(size);
    strata.push_back({"size_class", survey::SizeClassCode(size_class), survey::SizeClassLabel(size_class), std::move(members)});
  };
  for (auto& [size, members] : sizes) add_size(size, std::move(members));
  if (!unknown.empty()) add_size(unknown.key(), std::move(unknown.mapped()));
  for (auto& [province, members] : provinces) strata.push_back({"province", province, province, std::move(members)});
  for (auto& [group, members] : groups) strata.push_back({"group", group.second, group.second, std::move(members)});
  return strata;
}

}  // namespace peiling::fieldwork
