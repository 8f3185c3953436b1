#include "services/fieldwork/waves/wave_book.h"

#include <algorithm>

namespace peiling::fieldwork {

const registry::v1::Municipality* Frame::Find(std::string_view code) const {
  const auto found = std::lower_bound(municipalities.begin(), municipalities.end(), code,
                                      [](const auto& municipality, std::string_view wanted) { return municipality.code() < wanted; });
  return found != municipalities.end() && found->code() == code ? &*found : nullptr;
}

}  // namespace peiling::fieldwork
