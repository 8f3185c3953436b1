// Text of any origin in a line of JSON.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "rapidjson/rapidjson.h"
#include "services/common/text/fold.h"

namespace peiling::log {

// Bytes that are not UTF-8 would make the line unreadable to every JSON parser; such a text is escaped as a whole.
template <typename Writer>
void WriteText(Writer& writer, std::string_view text) {
  if (text::IsValidUtf8(text)) {
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  } else {
    writer.String(absl::CHexEscape({text.data(), text.size()}).c_str());
  }
}

}  // namespace peiling::log
