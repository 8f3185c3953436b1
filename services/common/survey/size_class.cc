#include "services/common/survey/size_class.h"

#include <string_view>

namespace peiling::survey {

std::string SizeClassCode(v1::SizeClass size_class) {
  static constexpr std::string_view kPrefix = "SIZE_CLASS_";
  return v1::SizeClass_Name(size_class).substr(kPrefix.size());
}

std::string SizeClassLabel(v1::SizeClass size_class) {
  switch (size_class) {
    case v1::SIZE_CLASS_UNDER_50K:
      return "Minder dan 50.000 inwoners";
    case v1::SIZE_CLASS_50K_TO_100K:
      return "50.000 tot 100.000 inwoners";
    case v1::SIZE_CLASS_100K_TO_200K:
      return "100.000 tot 200.000 inwoners";
    case v1::SIZE_CLASS_200K_AND_OVER:
      return "200.000 inwoners of meer";
    default:
      return "Aantal inwoners onbekend";
  }
}

}  // namespace peiling::survey
