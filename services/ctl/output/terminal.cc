#include "services/ctl/output/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "services/common/text/fold.h"

namespace peiling::ctl {
namespace {

constexpr int kMaxWidth = 10'000;

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// Bytes of the character at the front; 0 when it is not UTF-8.
size_t NextCharacter(std::string_view text, utf8proc_int32_t& character) {
  const auto length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &character);
  return length > 0 ? static_cast<size_t>(length) : 0;
}

// Characters with which a text could write elsewhere on the screen, or show itself in another order.
bool IsHarmful(utf8proc_int32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

Terminal DetectTerminal(int fd) {
  Terminal terminal;
  terminal.interactive = isatty(fd) == 1;
  terminal.colour = terminal.interactive && !IsSet("NO_COLOR");
  winsize size{};
  if (terminal.interactive && ioctl(fd, TIOCGWINSZ, &size) == 0) terminal.width = size.ws_col;
  int columns = 0;
  if (IsSet("COLUMNS") && absl::SimpleAtoi(std::getenv("COLUMNS"), &columns) && columns > 0 && columns <= kMaxWidth)
    terminal.width = columns;
  return terminal;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    utf8proc_int32_t character = 0;
    const size_t length = NextCharacter(text, character);
    if (length == 0) {
      out += "\uFFFD";
    } else if (IsHarmful(character)) {
      out += ' ';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string Shorten(std::string_view text, int width) {
  if (text::DisplayWidth(text) <= width) return std::string(text);
  size_t end = 0;
  int used = 0;
  while (end < text.size()) {
    utf8proc_int32_t character = 0;
    const size_t length = std::max<size_t>(NextCharacter(text.substr(end), character), 1);
    const int columns = text::DisplayWidth(text.substr(end, length));
    if (used + columns > width - 1) break;
    used += columns;
    end += length;
  }
  while (end > 0 && text[end - 1] == ' ') --end;
  return std::string(text.substr(0, end)) + "…";
}

std::string Wrap(std::string_view text, int width, int indent) {
  std::string out;
  int used = indent;
  const std::string printable = Printable(text);
  for (std::string_view rest = printable; !rest.empty();) {
    const size_t space = rest.find(' ');
    const std::string_view word = rest.substr(0, space);
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
    if (word.empty()) continue;
    const int columns = text::DisplayWidth(word);
    if (!out.empty()) {
      const bool fits = width == 0 || used + 1 + columns <= width;
      out += fits ? " " : "\n" + std::string(indent, ' ');
      used = fits ? used + 1 : indent;
    }
    out += word;
    used += columns;
  }
  return out;
}

std::string Styled(std::string_view text, Style style, const Terminal& terminal) {
  const char* code = nullptr;
  switch (style) {
    case Style::kPlain:
      break;
    case Style::kStrong:
      code = "\x1b[1m";
      break;
    case Style::kFaint:
      code = "\x1b[2m";
      break;
    case Style::kGood:
      code = "\x1b[32m";
      break;
    case Style::kWarning:
      code = "\x1b[33m";
      break;
    case Style::kBad:
      code = "\x1b[31m";
      break;
  }
  if (!terminal.colour || code == nullptr || text.empty()) return std::string(text);
  return std::string(code) + std::string(text) + "\x1b[0m";
}

}  // namespace peiling::ctl
