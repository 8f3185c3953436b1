#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <charconv>
#include <cmath>
#include <map>

#include "absl/strings/escaping.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/time_util.h"
#include "services/gateway/http/http_rule.h"
#include "services/gateway/http/json.h"

namespace peiling::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::FieldMaskUtil;
using google::protobuf::util::TimeUtil;

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void Text(Writer& out, std::string_view text) { out.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

template <typename Whole>
void WholeAsText(Writer& out, Whole number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  Text(out, {digits, static_cast<size_t>(end - digits)});
}

// The shortest text that reads back as the same.
template <typename Number>
void Real(Writer& out, Number number) {
  if (std::isnan(number)) return Text(out, "NaN");
  if (std::isinf(number)) return Text(out, number > 0 ? "Infinity" : "-Infinity");
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.RawValue(digits, static_cast<size_t>(end - digits), rapidjson::kNumberType);
}

// One of IsWrittenAsText.
std::string TextOf(const Message& message) {
  if (const auto* timestamp = dynamic_cast<const google::protobuf::Timestamp*>(&message)) return TimeUtil::ToString(*timestamp);
  if (const auto* duration = dynamic_cast<const google::protobuf::Duration*>(&message)) return TimeUtil::ToString(*duration);
  std::string text;
  if (const auto* mask = dynamic_cast<const google::protobuf::FieldMask*>(&message)) FieldMaskUtil::ToJsonString(*mask, &text);
  return text;
}

void WriteMessage(Writer& out, const Message& message);

// Gets the values of a field: the one, or with an index one of many.
class Values {
 public:
  Values(const Message& message, const FieldDescriptor& field) : message_(message), field_(field), reflection_(*message.GetReflection()) {}

  // The value at `index`; -1: of a field that is not repeated.
  void Write(Writer& out, int index) const {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        out.Int(Get(index, &Reflection::GetInt32, &Reflection::GetRepeatedInt32));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        out.Uint(Get(index, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        WholeAsText(out, Get(index, &Reflection::GetInt64, &Reflection::GetRepeatedInt64));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        WholeAsText(out, Get(index, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        Real(out, Get(index, &Reflection::GetDouble, &Reflection::GetRepeatedDouble));
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        Real(out, Get(index, &Reflection::GetFloat, &Reflection::GetRepeatedFloat));
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        out.Bool(Get(index, &Reflection::GetBool, &Reflection::GetRepeatedBool));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        WriteEnum(out, Get(index, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        WriteString(out, index);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        WriteMessage(out, index < 0 ? reflection_.GetMessage(message_, &field_) : reflection_.GetRepeatedMessage(message_, &field_, index));
        break;
    }
  }

 private:
  template <typename Value>
  Value Get(int index, Value (Reflection::*one)(const Message&, const FieldDescriptor*) const,
            Value (Reflection::*many)(const Message&, const FieldDescriptor*, int) const) const {
    return index < 0 ? (reflection_.*one)(message_, &field_) : (reflection_.*many)(message_, &field_, index);
  }

  void WriteEnum(Writer& out, int number) const {
    const auto* value = field_.enum_type()->FindValueByNumber(number);
    if (value != nullptr) {
      Text(out, value->name());
    } else {
      out.Int(number);
    }
  }

  void WriteString(Writer& out, int index) const {
    std::string scratch;
    const std::string& text = index < 0 ? reflection_.GetStringReference(message_, &field_, &scratch)
                                        : reflection_.GetRepeatedStringReference(message_, &field_, index, &scratch);
    Text(out, field_.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text);
  }

  const Message& message_;
  const FieldDescriptor& field_;
  const Reflection& reflection_;
};

// By key, so that the same map is the same text.
void WriteTextMap(Writer& out, const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  std::map<std::string, std::string> entries;
  for (int index = 0, count = reflection.FieldSize(message, &field); index < count; ++index) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, index);
    const Reflection& of_entry = *entry.GetReflection();
    entries[of_entry.GetString(entry, field.message_type()->map_key())] = of_entry.GetString(entry, field.message_type()->map_value());
  }
  out.StartObject();
  for (const auto& [key, value] : entries) {
    Text(out, key);
    Text(out, value);
  }
  out.EndObject();
}

void WriteMessage(Writer& out, const Message& message) {
  const auto& type = *message.GetDescriptor();
  if (IsWrittenAsText(type)) return Text(out, TextOf(message));
  const Reflection& reflection = *message.GetReflection();
  out.StartObject();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const Values values(message, field);
    if (IsTextMap(field)) {
      Text(out, field.json_name());
      WriteTextMap(out, message, field);
    } else if (field.is_repeated()) {
      Text(out, field.json_name());
      out.StartArray();
      for (int index = 0, count = reflection.FieldSize(message, &field); index < count; ++index) values.Write(out, index);
      out.EndArray();
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      Text(out, field.json_name());
      values.Write(out, -1);
    }
  }
  out.EndObject();
}

}  // namespace

std::string WriteJson(const Message& message) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  WriteMessage(out, message);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace peiling::gateway
