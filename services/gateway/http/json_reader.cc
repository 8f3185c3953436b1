#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/gateway/http/http_rule.h"
#include "services/gateway/http/json.h"
#include "services/gateway/http/scalar.h"

namespace peiling::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// More than an answer can name (BadRequest), so that what is kept of a bad body is bounded.
constexpr int kMaxProblems = 100;

// Takes what rapidjson reads, piece by piece, straight into a message.
class Handler {
 public:
  using Ch = char;

  Handler(Message& message, status::BadRequest& bad) : root_(message), bad_(bad) {}

  bool too_deep() const { return too_deep_; }

  bool Null() {
    if (skipping_ > 0) return true;
    if (frames_.empty() || frames_.back().in_list) Say(WantedHere());
    ValueDone();
    return true;
  }
  bool Bool(bool value) { return Scalar(value ? "true" : "false", Token::kWord); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return Scalar({text, size}, Token::kNumber); }
  bool String(const char* text, rapidjson::SizeType size, bool) { return Scalar({text, size}, Token::kText); }

  // Not called: numbers come as they are written.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  bool StartObject() {
    if (!Deeper()) return false;
    if (skipping_ > 0) return Skip();
    if (frames_.empty()) {
      frames_.push_back({&root_});
      return true;
    }
    Frame& at = frames_.back();
    if (at.field == nullptr) return Skip();
    if (!TakesValue(at) || at.field->message_type() == nullptr || IsWrittenAsText(*at.field->message_type())) {
      Say(WantedHere());
      return Skip();
    }
    const auto& reflection = *at.message->GetReflection();
    frames_.push_back({at.in_list ? reflection.AddMessage(at.message, at.field) : reflection.MutableMessage(at.message, at.field)});
    return true;
  }

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (skipping_ > 0) return true;
    Frame& at = frames_.back();
    const std::string name(text, size);
    const auto& type = *at.message->GetDescriptor();
    at.field = FieldCalled(type, name);
    at.as_in_contract = at.field != nullptr && at.field->json_name() != name;
    if (at.field == nullptr) {
      Add(absl::StrCat(Pointer(), "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}})), "is not known here");
      return true;
    }
    if (std::find(at.seen.begin(), at.seen.end(), at.field) != at.seen.end()) {
      Say("stands there twice");
      at.field = nullptr;
      return true;
    }
    at.seen.push_back(at.field);
    if (const auto* oneof = at.field->real_containing_oneof();
        oneof != nullptr && at.message->GetReflection()->HasOneof(*at.message, oneof)) {
      const auto* other = at.message->GetReflection()->GetOneofFieldDescriptor(*at.message, oneof);
      Say(absl::StrCat("does not go together with ", other->json_name()));
      at.field = nullptr;
    }
    return true;
  }

  bool EndObject(rapidjson::SizeType) { return End(); }

  bool StartArray() {
    if (!Deeper()) return false;
    if (skipping_ > 0) return Skip();
    if (frames_.empty() || (frames_.back().field != nullptr && (frames_.back().in_list || !frames_.back().field->is_repeated()))) {
      Say(WantedHere());
      return Skip();
    }
    if (frames_.back().field == nullptr) return Skip();
    frames_.push_back({.message = frames_.back().message, .field = frames_.back().field, .in_list = true});
    return true;
  }

  bool EndArray(rapidjson::SizeType) { return End(); }

 private:
  enum class Token { kText, kNumber, kWord };

  // An object, or a list within one.
  struct Frame {
    Message* message = nullptr;
    // What the next value is for; null: nothing that is known.
    const FieldDescriptor* field = nullptr;
    // It was not called as JSON does.
    bool as_in_contract = false;
    // The list of the values of `field`, of which `index` have been read.
    bool in_list = false;
    int index = 0;
    std::vector<const FieldDescriptor*> seen = {};
  };

  static bool TakesValue(const Frame& at) { return at.in_list || !at.field->is_repeated(); }

  bool Deeper() {
    too_deep_ = ++depth_ > kMaxJsonDepth;
    return !too_deep_;
  }

  // Leaves out what has begun.
  bool Skip() {
    ++skipping_;
    return true;
  }

  bool End() {
    --depth_;
    if (skipping_ > 0) {
      --skipping_;
    } else {
      frames_.pop_back();
    }
    ValueDone();
    return true;
  }

  void ValueDone() {
    if (skipping_ == 0 && !frames_.empty() && frames_.back().in_list) ++frames_.back().index;
  }

  bool Scalar(std::string_view text, Token token) {
    if (skipping_ > 0) return true;
    if (frames_.empty()) {
      Say(WantedHere());
      return true;
    }
    const Frame& at = frames_.back();
    if (at.field != nullptr && (!TakesValue(at) || !Fits(*at.field, token) || !SetScalar(*at.message, *at.field, text))) Say(WantedHere());
    ValueDone();
    return true;
  }

  // Whether values of the field are written so: texts and names in quotes, true and false without, numbers either way.
  static bool Fits(const FieldDescriptor& field, Token token) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return token == Token::kWord;
      case FieldDescriptor::CPPTYPE_STRING:
        return token == Token::kText;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return token == Token::kText && IsWrittenAsText(*field.message_type());
      default:
        return token != Token::kWord;
    }
  }

  std::string WantedHere() const {
    if (frames_.empty()) return "want an object";
    const Frame& at = frames_.back();
    if (!TakesValue(at)) return "want a list";
    if (at.field->message_type() != nullptr && !IsWrittenAsText(*at.field->message_type())) return "want an object";
    return WantedScalar(*at.field);
  }

  std::string Pointer() const {
    std::string pointer = "#";
    for (const Frame& frame : frames_) {
      if (frame.in_list) {
        absl::StrAppend(&pointer, "/", frame.index);
      } else if (frame.field != nullptr) {
        absl::StrAppend(&pointer, "/", frame.as_in_contract ? frame.field->name() : frame.field->json_name());
      }
    }
    return pointer;
  }

  void Say(const std::string& problem) { Add(Pointer(), problem); }

  void Add(const std::string& pointer, const std::string& problem) {
    if (++problems_ <= kMaxProblems) bad_.Add(pointer, problem);
  }

  Message& root_;
  status::BadRequest& bad_;
  std::vector<Frame> frames_;
  int depth_ = 0;
  int skipping_ = 0;
  int problems_ = 0;
  bool too_deep_ = false;
};

absl::Status Malformed(size_t byte, std::string_view what) {
  return status::Error(
      absl::StatusCode::kInvalidArgument, "BODY_MALFORMED",
      absl::StrCat("the body is no JSON that can be read here, at byte ", byte, ": ", absl::string_view(what.data(), what.size())),
      {{"byte", absl::StrCat(byte)}});
}

}  // namespace

const FieldDescriptor* FieldCalled(const google::protobuf::Descriptor& type, const std::string& name) {
  const FieldDescriptor* const field = type.FindFieldByCamelcaseName(name);
  if (field != nullptr && field->json_name() == name) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return type.FindFieldByName(name);
}

absl::Status ReadJson(std::string_view json, Message& message, status::BadRequest& bad) {
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::Reader reader;
  Handler handler(message, bad);
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (handler.too_deep()) return Malformed(result.Offset(), "nested too deeply");
  if (result.IsError()) return Malformed(result.Offset(), rapidjson::GetParseError_En(result.Code()));
  // A zero byte is an end to the parser.
  if (stream.Tell() != json.size()) return Malformed(stream.Tell(), "something follows the end");
  return absl::OkStatus();
}

}  // namespace peiling::gateway
