#include "services/common/survey/mail_template.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/survey/default_templates.h"
#include "services/common/text/characters.h"

namespace peiling::survey {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kLink = "link";

// Of HTML that is made from text: fields that become a link when they are a paragraph, and its words.
struct LinkWords {
  std::string_view field;
  std::string_view dutch;
  std::string_view other;
};
constexpr std::array kLinkWords = {LinkWords{kLink, "Naar de vragenlijst", "To the questionnaire"},
                                   LinkWords{"afmeldlink", "Afmelden", "Unsubscribe"}};

constexpr size_t kMaxSubject = 200;
constexpr size_t kMaxText = 20'000;
constexpr size_t kMaxHtml = 100'000;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// A field within a text; positions are those of its brackets.
struct Field {
  size_t begin = 0;
  size_t end = 0;
  std::string_view name;
};

// All fields that end, in their order. Positions are those in the text.
std::vector<Field> FieldsOf(std::string_view text) {
  std::vector<Field> fields;
  for (size_t at = 0;;) {
    const size_t begin = text.find(kOpen, at);
    const size_t close = begin == std::string_view::npos ? begin : text.find(kClose, begin);
    if (close == std::string_view::npos) return fields;
    const absl::string_view name = absl::StripAsciiWhitespace(View(text.substr(begin + kOpen.size(), close - begin - kOpen.size())));
    at = close + kClose.size();
    fields.push_back({.begin = begin, .end = at, .name = {name.data(), name.size()}});
  }
}

bool Has(std::string_view text, std::string_view name) {
  const std::vector<Field> fields = FieldsOf(text);
  return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return field.name == name; });
}

// Whether a field begins a section ('#', '^') or ends one ('/'): of which field.
std::string_view SectionOf(const Field& field) {
  const bool mark = !field.name.empty() && std::string_view("#^/").find(field.name[0]) != std::string_view::npos;
  return mark ? field.name.substr(1) : std::string_view();
}

bool AsksToFillIn(v1::MailKind kind) { return kind != v1::MAIL_KIND_THANKS; }

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// Problems with one part, each with its line.
class PartChecker {
 public:
  PartChecker(std::string_view part, std::string_view text, std::vector<TemplateProblem>& problems)
      : part_(part), text_(text), problems_(problems) {}

  template <typename... Message>
  void Fail(size_t at, const Message&... message) {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const bool several = text_.find('\n') != std::string_view::npos;
    problems_.push_back({.part = part_, .message = several ? absl::StrCat("line ", line, ": ", message...) : absl::StrCat(message...)});
  }

  // Of all fields: whether they exist, and end; of sections, too.
  void CheckFields() {
    size_t at = 0;
    const Field* section = nullptr;
    const std::vector<Field> fields = FieldsOf(text_);
    for (const Field& field : fields) {
      at = field.end;
      const std::string_view of = SectionOf(field);
      CheckName(field, of.empty() ? field.name : of);
      if (of.empty()) continue;
      const bool ends = field.name[0] == '/';
      if (ends != (section != nullptr) || (ends && of != SectionOf(*section))) {
        Fail(field.begin, "{{", View(field.name), "}} ", ends ? "ends no section" : "stands within another section");
      }
      section = ends ? nullptr : &field;
    }
    if (section != nullptr) Fail(section->begin, "{{", View(section->name), "}} has no end");
    if (const size_t open = text_.find(kOpen, at); open != std::string_view::npos) Fail(open, "\"{{\" without \"}}\"");
  }

  void CheckCharacters(size_t most) {
    if (const size_t count = text::Characters(text_); count > most) Fail(0, count, " characters, want at most ", most);
  }

 private:
  void CheckName(const Field& field, std::string_view name) {
    const auto& known = MergeFields();
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    std::string names;
    for (const std::string_view each : known) absl::StrAppend(&names, names.empty() ? "" : ", ", View(each));
    Fail(field.begin, "there is no field \"", View(name), "\"; there are ", names);
  }

  const std::string_view part_;
  const std::string_view text_;
  std::vector<TemplateProblem>& problems_;
};

// Reads HTML as far as mail needs it: tags match, and fields stand where their escaped values are text and nothing else. Stops at the first
// tag that cannot be read.
class HtmlChecker {
 public:
  HtmlChecker(std::string_view html, PartChecker& out) : html_(html), out_(out) {}

  void Run() {
    while (readable_ && at_ < html_.size()) {
      if (html_[at_] == '<') {
        ReadMarkup();
      } else {
        ++at_;
      }
    }
    if (readable_ && !open_.empty()) Stop(open_.back().second, "<", open_.back().first, "> has no end tag");
  }

 private:
  template <typename... Message>
  void Stop(size_t at, const Message&... message) {
    out_.Fail(at, message...);
    readable_ = false;
  }

  bool LooksAt(std::string_view text) const { return html_.substr(at_, text.size()) == text; }

  void ReadMarkup() {
    if (LooksAt("<!--")) return Skip("-->");
    if (LooksAt("<!")) return Skip(">");
    const size_t begin = at_;
    const bool ends = LooksAt("</");
    at_ += ends ? 2 : 1;
    const std::string name = ReadName();
    if (name.empty()) return Stop(begin, "\"<\" without a tag; as a character it is \"&lt;\"");
    if (name == "script") return Stop(begin, "want no scripts: no mail program runs them");
    const bool closed = ReadAttributes(begin);
    if (!readable_) return;
    if (ends) return Close(name, begin);
    if (closed || IsVoid(name)) return;
    open_.emplace_back(name, begin);
    if (name == "style") SkipTo("</style");
  }

  // To the end of something fields do not belong in.
  void SkipTo(std::string_view end) {
    const size_t found = html_.find(end, at_);
    const size_t begin = std::exchange(at_, std::min(found, html_.size()));
    if (found == std::string_view::npos) return Stop(begin, "\"", View(end), "\" is missing");
    if (const auto fields = FieldsOf(html_.substr(begin, found - begin)); !fields.empty())
      Stop(begin + fields[0].begin, "a field has no place here");
  }
  void Skip(std::string_view end) {
    SkipTo(end);
    at_ += end.size();
  }

  std::string ReadName() {
    const size_t begin = at_;
    while (at_ < html_.size() && absl::ascii_isalnum(static_cast<unsigned char>(html_[at_]))) ++at_;
    return absl::AsciiStrToLower(View(html_.substr(begin, at_ - begin)));
  }

  // Up to and with '>'; whether the tag ended itself ("<br/>").
  bool ReadAttributes(size_t begin) {
    for (; at_ < html_.size() && html_[at_] != '>'; ++at_) {
      const char c = html_[at_];
      if (LooksAt(kOpen)) return Stop(at_, "a field in a tag wants quotes around it"), false;
      if (c == '<') return Stop(begin, "a tag without \">\""), false;
      if (c != '"' && c != '\'') continue;
      const size_t value = at_ + 1;
      at_ = html_.find(c, value);
      if (at_ == std::string_view::npos) return Stop(begin, "a value without its closing quote"), false;
      CheckValue(value);
    }
    if (at_ == html_.size()) return Stop(begin, "a tag without \">\""), false;
    return html_[at_++ - 1] == '/';
  }

  // Only what cannot be anything but an address may stand in an attribute.
  void CheckValue(size_t begin) {
    for (const Field& field : FieldsOf(html_.substr(begin, at_ - begin))) {
      if (field.name != kLink && field.name != "afmeldlink" && field.name != "antwoordadres")
        Stop(begin + field.begin, "in a tag only {{link}}, {{afmeldlink}} and {{antwoordadres}} can stand");
    }
  }

  void Close(const std::string& name, size_t begin) {
    if (IsVoid(name)) return;
    if (open_.empty()) return Stop(begin, "</", name, "> without <", name, ">");
    if (open_.back().first != name) return Stop(begin, "</", name, ">, want </", open_.back().first, "> first");
    open_.pop_back();
  }

  static bool IsVoid(std::string_view name) {
    static constexpr std::array<std::string_view, 7> kVoid = {"br", "hr", "img", "meta", "link", "col", "wbr"};
    return std::find(kVoid.begin(), kVoid.end(), name) != kVoid.end();
  }

  const std::string_view html_;
  PartChecker& out_;
  size_t at_ = 0;
  bool readable_ = true;
  // Tags that wait for their end, and where they begin.
  std::vector<std::pair<std::string, size_t>> open_;
};

void CheckSubject(const std::string& subject, std::vector<TemplateProblem>& problems) {
  PartChecker checker("subject", subject, problems);
  if (absl::StripAsciiWhitespace(subject).empty()) checker.Fail(0, "want a subject");
  if (OneLine(subject) != subject) checker.Fail(0, "want one line");
  if (Has(subject, kLink)) checker.Fail(0, "the link does not belong in a subject");
  checker.CheckCharacters(kMaxSubject);
  checker.CheckFields();
}

void CheckText(v1::MailKind kind, const std::string& text, std::vector<TemplateProblem>& problems) {
  PartChecker checker("text", text, problems);
  if (absl::StripAsciiWhitespace(text).empty()) return checker.Fail(0, "want a text");
  if (AsksToFillIn(kind) && !Has(text, kLink)) checker.Fail(0, "want {{link}} in it");
  checker.CheckCharacters(kMaxText);
  checker.CheckFields();
}

void CheckHtml(v1::MailKind kind, const std::string& html, std::vector<TemplateProblem>& problems) {
  if (html.empty()) return;
  PartChecker checker("html", html, problems);
  if (AsksToFillIn(kind) && !Has(html, kLink)) checker.Fail(0, "want {{link}} in it");
  checker.CheckCharacters(kMaxHtml);
  checker.CheckFields();
  HtmlChecker(html, checker).Run();
}

}  // namespace

const std::vector<std::string_view>& MergeFields() {
  static const std::vector<std::string_view> fields = {"aanhef",        "contact.naam", "contact.functie", "gemeente",     "de_gemeente",
                                                       "peiling",       "opent",        "sluit",           "link",         "afzender",
                                                       "antwoordadres", "algemeen",     "overgenomen",     "wijzigen_tot", "afmeldlink"};
  return fields;
}

std::vector<TemplateProblem> CheckMailTemplate(v1::MailKind kind, const v1::MailTemplate& words) {
  std::vector<TemplateProblem> problems;
  CheckSubject(words.subject(), problems);
  CheckText(kind, words.text(), problems);
  CheckHtml(kind, words.html(), problems);
  return problems;
}

std::string OneLine(std::string_view value) {
  std::string line(value);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, ' ');
  return line;
}

std::string Merge(std::string_view text, const std::map<std::string, std::string>& values, Markup markup) {
  const auto is_empty = [&](std::string_view name) {
    const auto value = values.find(std::string(name));
    return value == values.end() || value->second.empty();
  };
  // What a paragraph with nothing in it looks like on both sides.
  const auto [before, after] = markup == Markup::kHtml ? std::pair("<p>", "</p>\n") : std::pair("\n\n", "\n\n");
  std::string merged;
  size_t at = 0;
  bool left_out = false;
  for (const Field& field : FieldsOf(text)) {
    if (!left_out) merged.append(text.substr(at, field.begin - at));
    at = field.end;
    if (const std::string_view section = SectionOf(field); !section.empty()) {
      left_out = field.name[0] != '/' && is_empty(section) == (field.name[0] == '#');
    } else if (const auto value = values.find(std::string(field.name)); left_out) {
      continue;
    } else if (value == values.end()) {
      merged.append(text.substr(field.begin, field.end - field.begin));
    } else {
      const std::string line = OneLine(value->second);
      merged.append(markup == Markup::kHtml ? Escape(line) : line);
    }
    if (!left_out && merged.ends_with(before) && text.substr(at).starts_with(after)) {
      at += std::string_view(after).size();
      if (markup == Markup::kHtml) merged.resize(merged.size() - std::string_view(before).size());
    }
  }
  merged.append(text.substr(at));
  while (markup == Markup::kText && merged.ends_with(before)) merged.pop_back();
  return merged;
}

std::string HtmlOf(const v1::MailTemplate& words) {
  const bool dutch = words.language() == "nl" || words.language().rfind("nl-", 0) == 0;
  std::string body;
  for (const absl::string_view piece : absl::StrSplit(words.text(), "\n\n")) {
    const absl::string_view paragraph = absl::StripAsciiWhitespace(piece);
    if (paragraph.empty()) continue;
    const auto link = std::find_if(kLinkWords.begin(), kLinkWords.end(), [&](const LinkWords& each) {
      return paragraph == absl::StrCat(View(kOpen), View(each.field), View(kClose));
    });
    if (link != kLinkWords.end()) {
      const absl::string_view field = View(link->field);
      absl::StrAppend(&body, "{{#", field, "}}<p><a href=\"{{", field, "}}\">", View(dutch ? link->dutch : link->other), "</a></p>\n{{/",
                      field, "}}");
      continue;
    }
    const std::vector<std::string> lines = absl::StrSplit(Escape({paragraph.data(), paragraph.size()}), '\n');
    absl::StrAppend(&body, "<p>");
    for (size_t i = 0; i < lines.size(); ++i) absl::StrAppend(&body, i == 0 ? "" : "<br>\n", lines[i]);
    absl::StrAppend(&body, "</p>\n");
  }
  return absl::StrCat("<!DOCTYPE html>\n<html lang=\"", words.language(), "\">\n<head><meta charset=\"utf-8\"><title>",
                      Escape(words.subject()),
                      "</title></head>\n<body style=\"font-family: Arial, sans-serif; font-size: 16px; line-height: 1.5; color: #1a1a1a; "
                      "max-width: 40em\">\n",
                      body, "</body>\n</html>\n");
}

v1::MailTemplate DefaultTemplate(v1::MailKind kind) {
  static const std::map<v1::MailKind, const char*> texts = {{v1::MAIL_KIND_INVITATION, kInvitationText},
                                                            {v1::MAIL_KIND_REMINDER, kReminderText},
                                                            {v1::MAIL_KIND_EXTENSION, kExtensionText},
                                                            {v1::MAIL_KIND_THANKS, kThanksText},
                                                            {v1::MAIL_KIND_COLLEAGUE, kColleagueText}};
  v1::MailTemplate words;
  words.set_language("nl");
  const auto found = texts.find(kind);
  if (found == texts.end()) return words;
  const std::pair<std::string, std::string> parts = absl::StrSplit(found->second, absl::MaxSplits("\n\n", 1));
  words.set_subject(parts.first);
  words.set_text(parts.second);
  words.set_html(HtmlOf(words));
  return words;
}

}  // namespace peiling::survey
