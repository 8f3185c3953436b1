#include "services/gateway/http/scalar.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/time_util.h"

namespace peiling::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::FieldMaskUtil;
using google::protobuf::util::TimeUtil;

// The number at which doubles stop telling whole numbers apart.
constexpr double kMaxExactWhole = 9007199254740992;

template <typename Number>
std::optional<Number> Read(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> ReadReal(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  // from_chars takes other words for them.
  const std::optional<double> number = Read<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

template <typename Whole>
std::optional<Whole> ReadWhole(std::string_view text) {
  if (const std::optional<Whole> number = Read<Whole>(text)) return number;
  const std::optional<double> real = ReadReal(text);
  if (!real || std::trunc(*real) != *real || std::abs(*real) > kMaxExactWhole) return std::nullopt;
  if (*real < static_cast<double>(std::numeric_limits<Whole>::min()) || *real > static_cast<double>(std::numeric_limits<Whole>::max())) {
    return std::nullopt;
  }
  return static_cast<Whole>(*real);
}

std::optional<float> ReadFloat(std::string_view text) {
  const std::optional<double> number = ReadReal(text);
  if (!number || (std::isfinite(*number) && std::abs(*number) > std::numeric_limits<float>::max())) return std::nullopt;
  return static_cast<float>(*number);
}

std::optional<bool> ReadBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::string> ReadBytes(std::string_view text) {
  const absl::string_view encoded(text.data(), text.size());
  std::string bytes;
  if (absl::Base64Unescape(encoded, &bytes) || absl::WebSafeBase64Unescape(encoded, &bytes)) return bytes;
  return std::nullopt;
}

std::optional<int> ReadEnum(const FieldDescriptor& field, std::string_view text) {
  if (const auto* value = field.enum_type()->FindValueByName(std::string(text))) return value->number();
  return Read<int>(text);
}

// One of IsWrittenAsText.
bool ReadMessage(std::string_view text, Message& message) {
  const std::string whole(text);
  if (auto* timestamp = dynamic_cast<google::protobuf::Timestamp*>(&message)) return TimeUtil::FromString(whole, timestamp);
  if (auto* duration = dynamic_cast<google::protobuf::Duration*>(&message)) return TimeUtil::FromString(whole, duration);
  auto* mask = dynamic_cast<google::protobuf::FieldMask*>(&message);
  return mask != nullptr && FieldMaskUtil::FromJsonString(whole, mask);
}

bool SetMessage(Message& message, const FieldDescriptor& field, std::string_view text) {
  const Reflection& reflection = *message.GetReflection();
  Message* const value = field.is_repeated() ? reflection.AddMessage(&message, &field) : reflection.MutableMessage(&message, &field);
  if (ReadMessage(text, *value)) return true;
  if (field.is_repeated()) {
    reflection.RemoveLast(&message, &field);
  } else {
    reflection.ClearField(&message, &field);
  }
  return false;
}

template <typename Value>
bool Put(Message& message, const FieldDescriptor& field, std::optional<Value> value,
         void (Reflection::*set)(Message*, const FieldDescriptor*, Value) const,
         void (Reflection::*add)(Message*, const FieldDescriptor*, Value) const) {
  if (!value) return false;
  (message.GetReflection()->*(field.is_repeated() ? add : set))(&message, &field, *std::move(value));
  return true;
}

}  // namespace

bool SetScalar(Message& message, const FieldDescriptor& field, std::string_view text) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Put(message, field, ReadWhole<int32_t>(text), &Reflection::SetInt32, &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Put(message, field, ReadWhole<int64_t>(text), &Reflection::SetInt64, &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Put(message, field, ReadWhole<uint32_t>(text), &Reflection::SetUInt32, &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Put(message, field, ReadWhole<uint64_t>(text), &Reflection::SetUInt64, &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Put(message, field, ReadReal(text), &Reflection::SetDouble, &Reflection::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Put(message, field, ReadFloat(text), &Reflection::SetFloat, &Reflection::AddFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return Put(message, field, ReadBool(text), &Reflection::SetBool, &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return Put(message, field, ReadEnum(field, text), &Reflection::SetEnumValue, &Reflection::AddEnumValue);
    case FieldDescriptor::CPPTYPE_STRING:
      return Put(message, field, field.type() == FieldDescriptor::TYPE_BYTES ? ReadBytes(text) : std::optional(std::string(text)),
                 &Reflection::SetString, &Reflection::AddString);
    default:
      return SetMessage(message, field, text);
  }
}

std::string WantedScalar(const FieldDescriptor& field) {
  const auto whole = [](auto least, auto most) { return absl::StrCat("want a whole number from ", least, " to ", most); };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return whole(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    case FieldDescriptor::CPPTYPE_INT64:
      return whole(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
    case FieldDescriptor::CPPTYPE_UINT32:
      return whole(0, std::numeric_limits<uint32_t>::max());
    case FieldDescriptor::CPPTYPE_UINT64:
      return whole(0, std::numeric_limits<uint64_t>::max());
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "want a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "want true or false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::string names;
      for (int i = 0; i < field.enum_type()->value_count(); ++i) {
        absl::StrAppend(&names, i == 0 ? "want one of " : ", ", field.enum_type()->value(i)->name());
      }
      return names;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "want bytes in base64" : "want a text";
    default:
      if (field.message_type() == google::protobuf::Timestamp::descriptor()) return "want a time as 2022-01-31T12:00:00Z";
      if (field.message_type() == google::protobuf::Duration::descriptor()) return "want seconds as 1.5s";
      return "want names of fields as \"a,b.c\"";
  }
}

}  // namespace peiling::gateway
