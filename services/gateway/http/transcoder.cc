#include "services/gateway/http/transcoder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/arena.h"
#include "grpcpp/impl/codegen/proto_buffer_reader.h"
#include "grpcpp/impl/codegen/proto_buffer_writer.h"
#include "peiling/access/v1/options.pb.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/json.h"
#include "services/gateway/http/scalar.h"

namespace peiling::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

constexpr char kEtag[] = "etag";
constexpr char kAfterSequence[] = "after_sequence";
constexpr char kSequence[] = "sequence";

std::unique_ptr<Message> New(const Descriptor& type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

bool HasText(const Descriptor& type, const char* name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr && field->type() == FieldDescriptor::TYPE_STRING && !field->is_repeated();
}

bool HasSequence(const Descriptor& type, const char* name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr && field->type() == FieldDescriptor::TYPE_UINT64 && !field->is_repeated();
}

// The message that holds the last field of the path, made as far as it is not there; null when another member of a oneof is.
Message* HolderOf(const FieldPath& path, Message& message) {
  Message* holder = &message;
  for (const FieldDescriptor* field : path) {
    const auto& reflection = *holder->GetReflection();
    const auto* oneof = field->real_containing_oneof();
    if (oneof != nullptr && reflection.HasOneof(*holder, oneof) && !reflection.HasField(*holder, field)) return nullptr;
    if (field != path.back()) holder = reflection.MutableMessage(holder, field);
  }
  return holder;
}

void ReadQuery(const RequestHead& head, Message& message, status::BadRequest& bad) {
  FormFields parameters;
  if (!SplitUrlEncoded(head.query, parameters)) return bad.Add("", "want a query in percent-encoded UTF-8");
  std::vector<const QueryParameter*> seen;
  for (const auto& said : parameters) {
    const std::string& name = said.first;
    const std::string& value = said.second;
    const auto& known = head.match.route->query;
    const auto found = std::find_if(known.begin(), known.end(), [&](const QueryParameter& parameter) { return parameter.name == name; });
    if (found == known.end()) {
      bad.Add(name, "is no parameter here");
      continue;
    }
    const FieldDescriptor& field = *found->field.back();
    if (!field.is_repeated() && std::find(seen.begin(), seen.end(), &*found) != seen.end()) {
      bad.Add(name, "stands there twice");
      continue;
    }
    seen.push_back(&*found);
    Message* const holder = HolderOf(found->field, message);
    if (holder == nullptr) {
      bad.Add(name, "does not go together with another parameter");
    } else if (!SetScalar(*holder, field, value)) {
      bad.Add(name, WantedScalar(field));
    }
  }
}

void ReadPath(const RequestHead& head, Message& message, status::BadRequest& bad) {
  for (size_t i = 0; i < head.match.values.size(); ++i) {
    const FieldPath& path = head.match.route->variables[i].field;
    const std::string& value = head.match.values[i];
    Message* const holder = HolderOf(path, message);
    std::string scratch;
    if (holder == nullptr) {
      bad.Add(DottedName(path), "does not go together with what the body has");
      continue;
    }
    const std::string& said = holder->GetReflection()->GetStringReference(*holder, path.back(), &scratch);
    if (!said.empty() && said != value) bad.Add(DottedName(path), "is something else in the body than in the path");
    SetScalar(*holder, *path.back(), value);
  }
}

// What is fetched and given back with an etag: the field that is the body, or the request itself when that has one.
const FieldDescriptor* EtagHolder(const HttpRoute& route) {
  return HasText(*route.method->input_type(), kEtag) ? nullptr : route.body_field;
}

void ReadEtag(const RequestHead& head, Message& message) {
  if (!head.etag) return;
  const FieldDescriptor* const body = EtagHolder(*head.match.route);
  Message& holder = body == nullptr ? message : *message.GetReflection()->MutableMessage(&message, body);
  SetScalar(holder, *holder.GetDescriptor()->FindFieldByName(kEtag), *head.etag);
}

void ReadAfterSequence(const RequestHead& head, Message& message, status::BadRequest& bad) {
  if (!head.after_sequence) return;
  const FieldDescriptor& field = *message.GetDescriptor()->FindFieldByName(kAfterSequence);
  if (!SetScalar(message, field, *head.after_sequence)) bad.Add(kAfterSequence, WantedScalar(field));
}

// The sequence of the message, or of the event that it is.
std::string SequenceOf(const Message& message, bool of_event) {
  const auto& type = *message.GetDescriptor();
  const auto& reflection = *message.GetReflection();
  if (HasSequence(type, kSequence)) return absl::StrCat(reflection.GetUInt64(message, type.FindFieldByName(kSequence)));
  if (of_event || type.real_oneof_decl_count() != 1) return "";
  const FieldDescriptor* event = reflection.GetOneofFieldDescriptor(message, type.oneof_decl(0));
  return event == nullptr || event->message_type() == nullptr ? "" : SequenceOf(reflection.GetMessage(message, event), true);
}

// As an entity-tag (RFC 9110, 8.8.3); empty when it cannot be one.
std::string EtagOf(const Message& message) {
  if (!HasText(*message.GetDescriptor(), kEtag)) return "";
  const std::string etag = message.GetReflection()->GetString(message, message.GetDescriptor()->FindFieldByName(kEtag));
  const bool fits = std::all_of(etag.begin(), etag.end(), [](char c) { return c > ' ' && c != '"' && c != '\x7f' && (c & 0x80) == 0; });
  return etag.empty() || !fits ? "" : absl::StrCat("\"", etag, "\"");
}

// "questions[1]" is "questions" and "1"; what has no number at its end, itself and nothing.
std::pair<std::string_view, std::string_view> SplitIndex(std::string_view field) {
  const size_t open = field.rfind('[');
  if (open == field.npos || !field.ends_with(']')) return {field, ""};
  const std::string_view index = field.substr(open + 1, field.size() - open - 2);
  const bool is_number = !index.empty() && index.find_first_not_of("0123456789") == index.npos;
  return is_number ? std::pair(field.substr(0, open), index) : std::pair(field, std::string_view());
}

// "#/response/answers/answers/3/text" of "response.answers.answers[3].text"; empty when there is no such field.
std::string PointerTo(const Descriptor* type, std::string_view field) {
  std::string pointer = "#";
  if (field.empty()) return pointer;
  for (const absl::string_view part : absl::StrSplit(absl::string_view(field.data(), field.size()), '.')) {
    const auto [name, index] = SplitIndex({part.data(), part.size()});
    const FieldDescriptor* const found = type == nullptr ? nullptr : type->FindFieldByName(std::string(name));
    if (found == nullptr || (!index.empty() && !found->is_repeated())) return "";
    absl::StrAppend(&pointer, "/", found->json_name());
    if (!index.empty()) absl::StrAppend(&pointer, "/", std::string(index));
    type = found->message_type();
  }
  return pointer;
}

}  // namespace

bool IsOpen(const HttpRoute& route) { return route.method->options().GetExtension(access::v1::access).anonymous(); }

bool TakesForm(const HttpRoute& route) {
  if (!route.whole_body || !IsOpen(route)) return false;
  const Descriptor& type = *route.method->input_type();
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->message_type() != nullptr && !IsWrittenAsText(*type.field(i)->message_type())) return false;
  }
  return !route.method->client_streaming();
}

bool TakesEtag(const HttpRoute& route) {
  const FieldDescriptor* const body = EtagHolder(route);
  return HasText(body == nullptr ? *route.method->input_type() : *body->message_type(), kEtag);
}

bool TakesAfterSequence(const HttpRoute& route) { return HasSequence(*route.method->input_type(), kAfterSequence); }

absl::StatusOr<std::unique_ptr<Message>> ReadRequest(const RequestHead& head, std::string_view body) {
  const HttpRoute& route = *head.match.route;
  std::unique_ptr<Message> message = New(*route.method->input_type());
  status::BadRequest bad;
  if (!body.empty()) {
    Message* const target =
        route.body_field == nullptr ? message.get() : message->GetReflection()->MutableMessage(message.get(), route.body_field);
    absl::Status read = head.form ? ReadForm(*head.form, body, *target, bad) : ReadJson(body, *target, bad);
    if (!read.ok()) return read;
  }
  ReadQuery(head, *message, bad);
  ReadPath(head, *message, bad);
  ReadEtag(head, *message);
  ReadAfterSequence(head, *message, bad);
  if (!bad.empty()) return bad.ToStatus();
  return message;
}

absl::StatusOr<std::unique_ptr<Message>> ReadFurtherRequest(const HttpRoute& route, std::string_view body) {
  std::unique_ptr<Message> message = New(*route.method->input_type());
  status::BadRequest bad;
  if (absl::Status read = ReadJson(body, *message, bad); !read.ok()) return read;
  if (!bad.empty()) return bad.ToStatus();
  return message;
}

grpc::ByteBuffer Pack(const Message& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return {&slice, 1};
}

absl::StatusOr<Shown> ReadResponse(const HttpRoute& route, const grpc::ByteBuffer& response) {
  google::protobuf::Arena arena;
  Message* const message = MessageFactory::generated_factory()->GetPrototype(route.method->output_type())->New(&arena);
  grpc::ByteBuffer copy(response);
  grpc::ProtoBufferReader reader(&copy);
  if (!reader.status().ok() || !message->ParseFromZeroCopyStream(&reader)) {
    return status::Error(absl::StatusCode::kInternal, "INTERNAL_ERROR", "the answer of the service cannot be read");
  }
  const Message& shown = route.response_field == nullptr ? *message : message->GetReflection()->GetMessage(*message, route.response_field);
  return Shown{WriteJson(shown), EtagOf(shown), SequenceOf(*message, false)};
}

FieldLocation LocateField(const HttpRoute& route, std::string_view field) {
  if (field.starts_with('#')) return {"body", "", std::string(field)};
  for (const PathVariable& variable : route.variables) {
    if (DottedName(variable.field) == field) return {"path", DottedName(variable.field)};
  }
  const auto [name, index] = SplitIndex(field);
  for (const QueryParameter& parameter : route.query) {
    if (DottedName(parameter.field) == name || parameter.name == name) return {"query", parameter.name, "", std::string(index)};
  }
  if (!route.whole_body && route.body_field == nullptr) return {"query", std::string(field)};
  const Descriptor* body = route.method->input_type();
  std::string_view below = field;
  if (route.body_field != nullptr) {
    const std::string& above = route.body_field->name();
    if (below != above && !below.starts_with(above + ".")) return {"body", std::string(field)};
    below.remove_prefix(std::min(above.size() + 1, below.size()));
    body = route.body_field->message_type();
  }
  const std::string pointer = PointerTo(body, below);
  return pointer.empty() ? FieldLocation{"body", std::string(field)} : FieldLocation{"body", "", pointer};
}

}  // namespace peiling::gateway
