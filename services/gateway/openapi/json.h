// Writes JSON in the order it is said.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "rapidjson/prettywriter.h"
#include "rapidjson/stringbuffer.h"

namespace peiling::gateway {

// One JSON text. Calls with a key write a member of the object that is open, those without an item of the array that is open, or the text's
// only value. Not thread-safe.
class Json {
 public:
  using Contents = std::function<void()>;

  Json();

  void Object(const Contents& members);
  void Object(std::string_view key, const Contents& members);
  void Array(std::string_view key, const Contents& items);
  void Text(std::string_view value);
  void Text(std::string_view key, std::string_view value);
  void Number(std::string_view key, int64_t value);
  void True(std::string_view key);

  // "$ref" to one of the document's components: "schemas", "Wave".
  void Reference(std::string_view kind, std::string_view name);

  // What was written, with a line end.
  std::string Take();

 private:
  void Key(std::string_view key);

  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer_;
};

}  // namespace peiling::gateway
