// The words of mail, with merge fields: "{{gemeente}}". services/fieldwork/mail/README.md says what each field stands for. Between
// "{{#link}}" and "{{/link}}" stands what is left out when the field is empty, between "{{^link}}" and "{{/link}}" what is when it is not;
// no such section is within another.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "peiling/survey/v1/mailing.pb.h"

namespace peiling::survey {

// Names of the fields there are, without brackets.
const std::vector<std::string_view>& MergeFields();

// One thing that is wrong with a template.
struct TemplateProblem {
  // "subject", "text" or "html".
  std::string_view part;
  // With the line of that part, from 1, when it has several.
  std::string message;
};

// What is wrong with a template for mail of some kind: a field that does not exist, or stands where its value could be taken for something
// else (the link in a subject, a name in a tag of HTML); sections that do not end, or begin within another; no link in mail that asks to
// fill in; HTML whose tags do not match, or with scripts; too much or no text; a subject of several lines.
std::vector<TemplateProblem> CheckMailTemplate(v1::MailKind kind, const v1::MailTemplate& words);

enum class Markup { kText, kHtml };

// A text with the values in place of its fields. Control characters in a value become spaces, so that it adds no line and no header; in
// HTML what has a meaning there is escaped. What looks like a field in a value stays as it is. A paragraph nothing is left of goes.
std::string Merge(std::string_view text, const std::map<std::string, std::string>& values, Markup markup);

// A value as Merge puts it into text: on one line.
std::string OneLine(std::string_view value);

// HTML that says the same as the text: an empty line begins a paragraph, and "{{link}}" or "{{afmeldlink}}" in a paragraph of its own
// becomes a link with words.
std::string HtmlOf(const v1::MailTemplate& words);

// Good words for a kind of mail, in Dutch.
v1::MailTemplate DefaultTemplate(v1::MailKind kind);

}  // namespace peiling::survey
