#include "services/gateway/openapi/json.h"

namespace peiling::gateway {

Json::Json() : writer_(buffer_) { writer_.SetIndent(' ', 1); }

void Json::Key(std::string_view key) { writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size())); }

void Json::Object(const Contents& members) {
  writer_.StartObject();
  members();
  writer_.EndObject();
}

void Json::Object(std::string_view key, const Contents& members) {
  Key(key);
  Object(members);
}

void Json::Array(std::string_view key, const Contents& items) {
  Key(key);
  writer_.StartArray();
  items();
  writer_.EndArray();
}

void Json::Text(std::string_view value) { writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); }

void Json::Text(std::string_view key, std::string_view value) {
  Key(key);
  Text(value);
}

void Json::Number(std::string_view key, int64_t value) {
  Key(key);
  writer_.Int64(value);
}

void Json::True(std::string_view key) {
  Key(key);
  writer_.Bool(true);
}

void Json::Reference(std::string_view kind, std::string_view name) {
  Text("$ref", std::string("#/components/").append(kind).append("/").append(name));
}

std::string Json::Take() { return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n"; }

}  // namespace peiling::gateway
