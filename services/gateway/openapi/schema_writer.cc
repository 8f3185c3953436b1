#include "services/gateway/openapi/schema_writer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/api/field_behavior.pb.h"
#include "services/gateway/http/http_rule.h"

namespace peiling::gateway {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

// "Outer.Inner" of "peiling.survey.v1.Outer.Inner", without the point.
template <typename Descriptor>
std::string ComponentName(const Descriptor& type) {
  const std::string above = type.containing_type() == nullptr ? "" : ComponentName(*type.containing_type());
  return above + type.name();
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsMessage(const FieldDescriptor& field) {
  return field.message_type() != nullptr && !IsWrittenAsText(*field.message_type()) && !IsTextMap(field);
}

}  // namespace

bool IsRequired(const FieldDescriptor& field) {
  const auto& behaviors = field.options();
  for (int i = 0; i < behaviors.ExtensionSize(google::api::field_behavior); ++i) {
    if (behaviors.GetExtension(google::api::field_behavior, i) == google::api::REQUIRED) return true;
  }
  return false;
}

std::string SchemaWriter::Component::Name() const { return message != nullptr ? ComponentName(*message) : ComponentName(*enumeration); }

void SchemaWriter::Add(const Component& component, bool asked) {
  const std::string name = component.Name();
  const auto [there, added] = components_.emplace(name, component);
  if (!(there->second == component)) ambiguous_.insert(name);
  const bool newly_asked = asked && asked_.insert(name).second;
  if (!added && !newly_asked) return;
  for (const FieldDescriptor* field : component.ShownFields()) {
    if (IsMessage(*field)) Add({.message = field->message_type()}, asked);
    if (field->enum_type() != nullptr) Add({.enumeration = field->enum_type()}, asked);
  }
}

void SchemaWriter::Refer(const Component& component, bool asked) {
  Add(component, asked);
  json_.Reference("schemas", component.Name());
}

void SchemaWriter::AnswerReference(const pb::Descriptor& message) { Refer({.message = &message}, false); }

void SchemaWriter::RequestReference(const pb::Descriptor& message, const Fields& without) {
  Refer({.message = &message, .without = without}, true);
}

void SchemaWriter::Field(const FieldDescriptor& field, const std::string& description) {
  if (IsTextMap(field)) {
    json_.Text("type", "object");
    if (!description.empty()) json_.Text("description", description);
    return json_.Object("additionalProperties", [&] { json_.Text("type", "string"); });
  }
  if (!field.is_repeated()) return Value(field, description);
  json_.Text("type", "array");
  if (!description.empty()) json_.Text("description", description);
  json_.Object("items", [&] { Value(field, ""); });
}

void SchemaWriter::Value(const FieldDescriptor& field, const std::string& description) {
  if (field.enum_type() == nullptr && !IsMessage(field)) return Scalar(field, description);
  const auto refer = [&] { Refer({.message = field.message_type(), .enumeration = field.enum_type()}, false); };
  if (description.empty()) return refer();
  json_.Text("description", description);
  // Beside a $ref, OpenAPI 3.0 reads nothing.
  json_.Array("allOf", [&] { json_.Object(refer); });
}

// A text that is a day, as the comment says: where that speaks of "empty", it may be no day as well.
void SchemaWriter::Format(std::string_view comment) {
  if (!absl::StrContains(View(comment), "YYYY-MM-DD")) return;
  if (!absl::StrContains(absl::AsciiStrToLower(View(comment)), "empty")) return json_.Text("format", "date");
  json_.Array("anyOf", [&] {
    json_.Object([&] { json_.Text("format", "date"); });
    json_.Object([&] { json_.Number("maxLength", 0); });
  });
}

void SchemaWriter::Scalar(const FieldDescriptor& field, const std::string& description) {
  const auto write = [&](const char* type, const char* format = nullptr) {
    json_.Text("type", type);
    if (format != nullptr) json_.Text("format", format);
  };
  switch (field.type()) {
    case FieldDescriptor::TYPE_BOOL:
      write("boolean");
      break;
    case FieldDescriptor::TYPE_DOUBLE:
      write("number", "double");
      break;
    case FieldDescriptor::TYPE_FLOAT:
      write("number", "float");
      break;
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SFIXED32:
      write("integer", "int32");
      break;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      write("integer", "int64");
      json_.Number("minimum", 0);
      break;
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SINT64:
    case FieldDescriptor::TYPE_SFIXED64:
      write("string", "int64");
      json_.Text("pattern", "^-?[0-9]{1,19}$");
      break;
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
      write("string", "uint64");
      json_.Text("pattern", "^[0-9]{1,20}$");
      break;
    case FieldDescriptor::TYPE_BYTES:
      write("string", "byte");
      break;
    case FieldDescriptor::TYPE_MESSAGE:
      write("string", field.message_type()->full_name() == "google.protobuf.Timestamp" ? "date-time" : nullptr);
      break;
    default:
      json_.Text("type", "string");
      Format(comments_.Of(field));
  }
  if (!description.empty()) json_.Text("description", description);
}

std::vector<const FieldDescriptor*> SchemaWriter::Component::ShownFields() const {
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; message != nullptr && i < message->field_count(); ++i) {
    if (!without.contains(message->field(i))) fields.push_back(message->field(i));
  }
  return fields;
}

bool SchemaWriter::MustHave(const Component& component, const FieldDescriptor& field) const {
  return asked_.contains(component.Name()) ? IsRequired(field) : !field.has_presence();
}

void SchemaWriter::Message(const Component& component) {
  const auto fields = component.ShownFields();
  json_.Text("type", "object");
  json_.Text("description", comments_.Of(*component.message));
  json_.Object("properties", [&] {
    for (const FieldDescriptor* field : fields) json_.Object(field->json_name(), [&] { Field(*field, comments_.Of(*field)); });
  });
  const auto must_have = [&](const FieldDescriptor* field) { return MustHave(component, *field); };
  if (std::any_of(fields.begin(), fields.end(), must_have)) {
    json_.Array("required", [&] {
      for (const FieldDescriptor* field : fields) {
        if (must_have(field)) json_.Text(field->json_name());
      }
    });
  }
  Oneofs(*component.message);
}

// Of the fields of a oneof no two stand together.
void SchemaWriter::Oneofs(const pb::Descriptor& message) {
  if (message.real_oneof_decl_count() == 0) return;
  json_.Object("not", [&] {
    json_.Array("anyOf", [&] {
      for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
        const pb::OneofDescriptor& oneof = *message.oneof_decl(i);
        for (int second = 1; second < oneof.field_count(); ++second) {
          for (int first = 0; first < second; ++first) {
            json_.Object([&] {
              json_.Array("required", [&] {
                json_.Text(oneof.field(first)->json_name());
                json_.Text(oneof.field(second)->json_name());
              });
            });
          }
        }
      }
    });
  });
}

void SchemaWriter::Enum(const pb::EnumDescriptor& enumeration) {
  std::string description = comments_.Of(enumeration) + "\n";
  for (int i = 0; i < enumeration.value_count(); ++i) {
    const pb::EnumValueDescriptor& value = *enumeration.value(i);
    absl::StrAppend(&description, "\n- `", value.name(), "`: ", comments_.Of(value));
  }
  json_.Text("type", "string");
  json_.Text("description", description);
  json_.Array("enum", [&] {
    for (int i = 0; i < enumeration.value_count(); ++i) json_.Text(enumeration.value(i)->name());
  });
}

absl::Status SchemaWriter::Schemas(const Json::Contents& others) {
  json_.Object("schemas", [&] {
    others();
    for (const auto& [name, component] : components_) {
      json_.Object(name,
                   [this, &component = component] { component.message != nullptr ? Message(component) : Enum(*component.enumeration); });
    }
  });
  if (ambiguous_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("one name, several schemas: ", absl::StrJoin(ambiguous_, ", ")));
}

}  // namespace peiling::gateway
