// The schemas of values as JSON has them: https://protobuf.dev/programming-guides/json, in the dialect of OpenAPI 3.0.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "services/gateway/openapi/comments.h"
#include "services/gateway/openapi/json.h"

namespace peiling::gateway {

// Whether the contract says that requests must have it (google.api.field_behavior).
bool IsRequired(const google::protobuf::FieldDescriptor& field);

// Writes schemas where they are asked for, and in the end those of all messages and enums that were referred to. Not thread-safe.
class SchemaWriter {
 public:
  using Fields = std::set<const google::protobuf::FieldDescriptor*>;

  // Both must outlive it.
  SchemaWriter(const Comments& comments, Json& json) : comments_(comments), json_(json) {}

  // "$ref" of the message as answers have it, a member of the object that is open. Messages that stand in answers alone have all fields but
  // those that can be absent; of others, those must be there that the contract requires.
  void AnswerReference(const google::protobuf::Descriptor& message);
  // The same as requests have it. `without`: fields of the message that are said elsewhere than in the body.
  void RequestReference(const google::protobuf::Descriptor& message, const Fields& without);
  // Members of the schema of the field's value, described.
  void Field(const google::protobuf::FieldDescriptor& field, const std::string& description);
  // "schemas": `others`, then all that was referred to and what those refer to, by name. INVALID_ARGUMENT when two types have one name.
  absl::Status Schemas(const Json::Contents& others);

 private:
  struct Component {
    // One of these.
    const google::protobuf::Descriptor* message = nullptr;
    const google::protobuf::EnumDescriptor* enumeration = nullptr;
    Fields without;

    std::string Name() const;
    // Of a message, those of its fields that its JSON has.
    std::vector<const google::protobuf::FieldDescriptor*> ShownFields() const;
    bool operator==(const Component&) const = default;
  };

  void Refer(const Component& component, bool asked);
  void Add(const Component& component, bool asked);
  bool MustHave(const Component& component, const google::protobuf::FieldDescriptor& field) const;
  void Value(const google::protobuf::FieldDescriptor& field, const std::string& description);
  void Scalar(const google::protobuf::FieldDescriptor& field, const std::string& description);
  void Format(std::string_view comment);
  void Message(const Component& component);
  void Oneofs(const google::protobuf::Descriptor& message);
  void Enum(const google::protobuf::EnumDescriptor& enumeration);

  const Comments& comments_;
  Json& json_;
  std::map<std::string, Component> components_;
  // Those that requests have.
  std::set<std::string> asked_;
  std::set<std::string> ambiguous_;
};

}  // namespace peiling::gateway
