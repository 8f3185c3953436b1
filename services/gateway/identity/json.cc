#include "services/gateway/identity/json.h"

#include <set>

#include "absl/strings/escaping.h"

namespace peiling::gateway {
namespace {

constexpr int kMostLevels = 16;
// Iterative: a stranger's nesting must not become ours.
constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

std::string_view View(const rapidjson::Value& text) { return {text.GetString(), text.GetStringLength()}; }

// Empty when there is nothing wrong with a value.
std::string ProblemOf(const rapidjson::Value& value, int levels) {
  if (!value.IsObject() && !value.IsArray()) return "";
  if (levels == 0) return "nested too deeply";
  if (value.IsArray()) {
    for (const auto& item : value.GetArray()) {
      if (std::string problem = ProblemOf(item, levels - 1); !problem.empty()) return problem;
    }
    return "";
  }
  std::set<std::string_view> names;
  for (const auto& member : value.GetObject()) {
    if (!names.insert(View(member.name)).second) return "a name is there twice";
    if (std::string problem = ProblemOf(member.value, levels - 1); !problem.empty()) return problem;
  }
  return "";
}

}  // namespace

absl::StatusOr<rapidjson::Document> ParseJsonObject(std::string_view text) {
  // The parser takes it for the end.
  if (text.find('\0') != std::string_view::npos) return absl::InvalidArgumentError("not a JSON object");
  rapidjson::Document document;
  document.Parse<kFlags>(text.data(), text.size());
  if (document.HasParseError() || !document.IsObject()) return absl::InvalidArgumentError("not a JSON object");
  if (const std::string problem = ProblemOf(document, kMostLevels); !problem.empty()) return absl::InvalidArgumentError(problem);
  return document;
}

const rapidjson::Value* MemberOf(const rapidjson::Value& object, std::string_view name) {
  for (const auto& member : object.GetObject()) {
    if (View(member.name) == name) return &member.value;
  }
  return nullptr;
}

std::optional<std::string_view> TextOf(const rapidjson::Value& object, std::string_view name) {
  const rapidjson::Value* member = MemberOf(object, name);
  if (member == nullptr || !member->IsString()) return std::nullopt;
  return View(*member);
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes)) return std::nullopt;
  // Abseil takes padding, spaces and loose bits, too; one text for the same bytes is enough.
  if (absl::WebSafeBase64Escape(bytes) != absl::string_view(text.data(), text.size())) return std::nullopt;
  return bytes;
}

}  // namespace peiling::gateway
