#include "services/gateway/http/http_rule.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/api/annotations.pb.h"
#include "services/common/text/fold.h"
#include "services/gateway/http/percent.h"

namespace peiling::gateway {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// What a path template says, before its variables are looked up.
struct Template {
  std::vector<PathSegment> segments;
  struct Variable {
    std::string field;
    size_t first = 0;
    size_t count = 0;
  };
  std::vector<Variable> variables;
};

// Adds what the text says, one segment after another. No segment may be empty, and a wildcard stands in a variable.
class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  // Null and `problem` set when it is none.
  std::optional<Template> Parse(std::string& problem) {
    if (text_.find("**") != std::string_view::npos || text_.find(':') != std::string_view::npos) {
      problem = "\"**\" and \":verb\" are not answered here";
      return std::nullopt;
    }
    do {
      if (!Take('/') || !(Take('{') ? Variable() : Literal())) {
        problem = absl::StrCat("cannot be read at byte ", at_);
        return std::nullopt;
      }
    } while (at_ < text_.size());
    return std::move(parsed_);
  }

 private:
  bool Take(char wanted) {
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::string_view Word(std::string_view others) {
    const size_t begin = at_;
    while (at_ < text_.size() && (absl::ascii_isalnum(static_cast<unsigned char>(text_[at_])) || others.find(text_[at_]) != others.npos)) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  bool Literal() {
    const std::string_view word = Word("-_.");
    if (!word.empty()) parsed_.segments.push_back({std::string(word)});
    return !word.empty();
  }

  bool Variable() {
    Template::Variable variable{std::string(Word("_.")), parsed_.segments.size()};
    if (Take('=')) {
      do {
        if (Take('*')) {
          parsed_.segments.emplace_back();
        } else if (!Literal()) {
          return false;
        }
      } while (Take('/'));
    } else {
      parsed_.segments.emplace_back();
    }
    variable.count = parsed_.segments.size() - variable.first;
    parsed_.variables.push_back(std::move(variable));
    return Take('}');
  }

  const std::string_view text_;
  size_t at_ = 0;
  Template parsed_;
};

// The path "header.parent" in a message; empty when it has none that a URL can say, or no part of a path is repeated.
FieldPath Resolve(const Descriptor& message, const std::string& dotted) {
  FieldPath path;
  const Descriptor* at = &message;
  size_t begin = 0;
  while (begin <= dotted.size()) {
    const size_t end = std::min(dotted.find('.', begin), dotted.size());
    const FieldDescriptor* field = at == nullptr ? nullptr : at->FindFieldByName(dotted.substr(begin, end - begin));
    if (field == nullptr || field->is_repeated()) return {};
    path.push_back(field);
    at = field->message_type();
    begin = end + 1;
  }
  return path;
}

// Messages that JSON writes in ways of their own, which nothing here knows.
bool IsForeign(const Descriptor& type) { return type.file()->package() == "google.protobuf" && !IsWrittenAsText(type); }

// Whether all that can be in the message can be read or written.
class TypeCheck {
 public:
  TypeCheck(bool is_answer, std::vector<std::string>& problems) : is_answer_(is_answer), problems_(problems) {}

  void Check(const Descriptor& type) {
    if (!seen_.insert(&type).second || IsWrittenAsText(type)) return;
    for (int i = 0; i < type.field_count(); ++i) CheckField(*type.field(i));
  }

 private:
  void CheckField(const FieldDescriptor& field) {
    if (is_answer_ && IsTextMap(field)) return;
    if (field.type() == FieldDescriptor::TYPE_GROUP || field.is_map() ||
        (field.message_type() != nullptr && IsForeign(*field.message_type()))) {
      problems_.push_back(
          absl::StrCat(field.full_name(), ": maps, groups and this type are not ", is_answer_ ? "written" : "read", " as JSON here"));
    } else if (field.message_type() != nullptr) {
      Check(*field.message_type());
    }
  }

  const bool is_answer_;
  std::vector<std::string>& problems_;
  std::set<const Descriptor*> seen_;
};

// Reads the rules of one method.
class MethodRules {
 public:
  MethodRules(const MethodDescriptor& method, std::vector<std::unique_ptr<HttpRoute>>& routes, std::vector<std::string>& problems)
      : method_(method), routes_(routes), problems_(problems) {}

  void Read() {
    if (!method_.options().HasExtension(google::api::http)) return;
    const HttpRule& rule = method_.options().GetExtension(google::api::http);
    std::vector<std::string> untold;
    TypeCheck(false, untold).Check(*method_.input_type());
    TypeCheck(true, untold).Check(*method_.output_type());
    for (const std::string& problem : untold) Say(problem);
    Add(rule, 0);
    int binding = 0;
    for (const HttpRule& additional : rule.additional_bindings()) {
      if (!additional.additional_bindings().empty()) Say("additional_bindings within additional_bindings");
      Add(additional, ++binding);
    }
  }

 private:
  void Say(const std::string& problem) { problems_.push_back(absl::StrCat(method_.full_name(), ": ", problem)); }

  void Add(const HttpRule& rule, int binding) {
    auto route = std::make_unique<HttpRoute>();
    route->method = &method_;
    route->binding = binding;
    const size_t before = problems_.size();
    if (!rule.selector().empty()) Say("selector: the rule stands at its method");
    ReadPattern(rule, *route);
    ReadPath(*route);
    ReadBody(rule, *route);
    ReadResponse(rule, *route);
    if (!route->whole_body) AddQuery(*method_.input_type(), {}, *route);
    CheckQuery(*route);
    if (problems_.size() == before) routes_.push_back(std::move(route));
  }

  void ReadPattern(const HttpRule& rule, HttpRoute& route) {
    const auto is = [&route](const char* verb, const std::string& path) {
      route.verb = verb;
      route.path_template = path;
    };
    switch (rule.pattern_case()) {
      case HttpRule::kGet:
        return is("GET", rule.get());
      case HttpRule::kPost:
        return is("POST", rule.post());
      case HttpRule::kPut:
        return is("PUT", rule.put());
      case HttpRule::kPatch:
        return is("PATCH", rule.patch());
      case HttpRule::kDelete:
        return is("DELETE", rule.delete_());
      default:
        Say("no path, or a custom method");
    }
  }

  void ReadPath(HttpRoute& route) {
    if (route.verb.empty()) return;
    std::string problem;
    std::optional<Template> parsed = TemplateParser(route.path_template).Parse(problem);
    if (!parsed) return Say(absl::StrCat(route.path_template, ": ", problem));
    route.segments = std::move(parsed->segments);
    for (const Template::Variable& said : parsed->variables) {
      PathVariable variable{Resolve(*method_.input_type(), said.field), said.first, said.count};
      if (variable.field.empty() || variable.field.back()->type() != FieldDescriptor::TYPE_STRING) {
        Say(absl::StrCat(route.path_template, ": {", said.field, "} is no text in ", method_.input_type()->full_name()));
      } else if (Binds(route, variable.field)) {
        Say(absl::StrCat(route.path_template, ": {", said.field, "} stands there twice"));
      } else {
        route.variables.push_back(std::move(variable));
      }
    }
  }

  void ReadBody(const HttpRule& rule, HttpRoute& route) {
    const bool may_have_body = route.verb != "GET" && route.verb != "DELETE";
    if (!rule.body().empty() && !may_have_body) return Say(absl::StrCat(route.verb, " has no body"));
    if (method_.client_streaming() && rule.body() != "*") return Say("a stream of requests has body: \"*\"");
    route.whole_body = rule.body() == "*";
    if (rule.body().empty() || route.whole_body) return;
    route.body_field = MessageField(*method_.input_type(), rule.body(), "body");
  }

  void ReadResponse(const HttpRule& rule, HttpRoute& route) {
    if (!rule.response_body().empty()) route.response_field = MessageField(*method_.output_type(), rule.response_body(), "response_body");
  }

  const FieldDescriptor* MessageField(const Descriptor& message, const std::string& name, const char* what) {
    const FieldDescriptor* field = message.FindFieldByName(name);
    if (field == nullptr || field->is_repeated() || field->message_type() == nullptr) {
      Say(absl::StrCat(what, ": ", name, " is no message in ", message.full_name()));
      return nullptr;
    }
    return field;
  }

  // Whether a variable of the path is this field or lies in it.
  static bool Binds(const HttpRoute& route, const FieldPath& field) {
    return std::any_of(route.variables.begin(), route.variables.end(), [&](const PathVariable& variable) {
      return variable.field.size() >= field.size() && std::equal(field.begin(), field.end(), variable.field.begin());
    });
  }

  void AddQuery(const Descriptor& message, const FieldPath& above, HttpRoute& route) {
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor* field = message.field(i);
      FieldPath path = above;
      path.push_back(field);
      if (field == route.body_field) continue;
      const Descriptor* type = field->message_type();
      if (type == nullptr || IsWrittenAsText(*type)) {
        if (!Binds(route, path)) route.query.push_back({QueryName(path), path});
      } else if (!field->is_repeated() && !LiesWithin(*type, above)) {
        AddQuery(*type, path, route);
      }
    }
  }

  bool LiesWithin(const Descriptor& type, const FieldPath& path) const {
    return &type == method_.input_type() ||
           std::any_of(path.begin(), path.end(), [&](const FieldDescriptor* field) { return field->message_type() == &type; });
  }

  void CheckQuery(const HttpRoute& route) {
    std::set<std::string> names;
    for (const QueryParameter& parameter : route.query) {
      if (!names.insert(parameter.name).second) Say(absl::StrCat("two fields are ", parameter.name, " in the query"));
    }
  }

  const MethodDescriptor& method_;
  std::vector<std::unique_ptr<HttpRoute>>& routes_;
  std::vector<std::string>& problems_;
};

// Percent-decoded; false when it is not what one segment of a name can be.
bool DecodeSegment(std::string_view encoded, std::string& decoded) {
  if (encoded.empty() || !PercentDecode(encoded, false, decoded) || !text::IsValidUtf8(decoded)) return false;
  return std::none_of(decoded.begin(), decoded.end(),
                      [](char c) { return c == '/' || absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// Names have a handful of segments.
constexpr size_t kMaxSegments = 32;

// Null when some segment is nothing's.
std::optional<std::vector<std::string>> Split(std::string_view path) {
  std::vector<std::string> segments;
  if (path.empty() || path[0] != '/') return std::nullopt;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (segments.size() == kMaxSegments || !DecodeSegment(path.substr(begin, end - begin), segments.emplace_back())) return std::nullopt;
    begin = end + 1;
  }
  return segments;
}

}  // namespace

std::string QueryName(const FieldPath& path) {
  std::string name;
  for (const FieldDescriptor* field : path) {
    const size_t begin = name.size();
    name += field->json_name();
    if (begin > 0) name[begin] = absl::ascii_toupper(static_cast<unsigned char>(name[begin]));
  }
  return name;
}

std::string DottedName(const FieldPath& path) {
  return absl::StrJoin(path, ".", [](std::string* out, const FieldDescriptor* field) { out->append(field->name()); });
}

bool IsWrittenAsText(const Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp" || type.full_name() == "google.protobuf.Duration" ||
         type.full_name() == "google.protobuf.FieldMask";
}

bool IsTextMap(const FieldDescriptor& field) {
  return field.is_map() && field.message_type()->map_key()->type() == FieldDescriptor::TYPE_STRING &&
         field.message_type()->map_value()->type() == FieldDescriptor::TYPE_STRING;
}

// What may follow the segments so far.
struct HttpRules::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> any;
  // By method, of templates that end here.
  std::map<std::string, const HttpRoute*, std::less<>> routes;

  Node& Next(const PathSegment& segment) {
    std::unique_ptr<Node>& next = segment.literal.empty() ? any : literals[segment.literal];
    if (next == nullptr) next = std::make_unique<Node>();
    return *next;
  }

  // The first route of `verb`, literals first; until then all methods at this path are added to `allowed`.
  const HttpRoute* Find(std::string_view verb, const std::vector<std::string>& segments, size_t at, std::set<std::string>& allowed) const {
    if (at == segments.size()) {
      for (const auto& [method, route] : routes) allowed.insert(method);
      const auto found = routes.find(verb);
      return found == routes.end() ? nullptr : found->second;
    }
    const HttpRoute* found = nullptr;
    if (const auto literal = literals.find(segments[at]); literal != literals.end()) {
      found = literal->second->Find(verb, segments, at + 1, allowed);
    }
    return found != nullptr || any == nullptr ? found : any->Find(verb, segments, at + 1, allowed);
  }
};

HttpRules::HttpRules() : root_(std::make_unique<Node>()) {}
HttpRules::HttpRules(HttpRules&&) noexcept = default;
HttpRules& HttpRules::operator=(HttpRules&&) noexcept = default;
HttpRules::~HttpRules() = default;

absl::StatusOr<HttpRules> HttpRules::Of(const std::vector<const ServiceDescriptor*>& services) {
  HttpRules rules;
  std::vector<std::string> problems;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) MethodRules(*service->method(i), rules.routes_, problems).Read();
  }
  for (const auto& route : rules.routes_) {
    Node* node = rules.root_.get();
    for (const PathSegment& segment : route->segments) node = &node->Next(segment);
    const auto [there, added] = node->routes.emplace(route->verb, route.get());
    if (!added) {
      problems.push_back(absl::StrCat(route->method->full_name(), ": ", route->verb, " ", route->path_template, " is also ",
                                      there->second->method->full_name()));
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));
  return rules;
}

HttpRules::Match HttpRules::Find(std::string_view verb, std::string_view path) const {
  Match match;
  const std::optional<std::vector<std::string>> segments = Split(path);
  if (!segments) return match;
  std::set<std::string> allowed;
  match.route = root_->Find(verb, *segments, 0, allowed);
  if (match.route == nullptr) {
    match.allowed.assign(allowed.begin(), allowed.end());
    return match;
  }
  for (const PathVariable& variable : match.route->variables) {
    match.values.push_back(absl::StrJoin(segments->begin() + variable.first, segments->begin() + variable.first + variable.count, "/"));
  }
  return match;
}

}  // namespace peiling::gateway
