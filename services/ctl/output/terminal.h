// What the other end of a stream can show.
#pragma once

#include <string>
#include <string_view>

namespace peiling::ctl {

struct Terminal {
  // Columns a line may take; 0: no bound (a pipe or a file).
  int width = 0;
  // Colours are wanted: a terminal, and NO_COLOR is not set.
  bool colour = false;
  // A person looks at it, so a line may be written over.
  bool interactive = false;
};

// Looks at an open file. COLUMNS, when it is exported, wins over what the terminal says.
Terminal DetectTerminal(int fd);

// Text that came from elsewhere, made safe to show on one line: control and text-direction characters and line breaks become spaces, bytes
// that are not UTF-8 "�".
std::string Printable(std::string_view text);

// The text in at most `width` columns; what does not fit is cut off, and "…" says so.
std::string Shorten(std::string_view text, int width);

// The text over several lines of at most `width` columns (0: one line), broken at spaces. The first line stands behind `indent` columns of
// something else, the others behind as many blanks. A longer word stands on a line of its own.
std::string Wrap(std::string_view text, int width, int indent);

enum class Style { kPlain, kStrong, kFaint, kGood, kWarning, kBad };

// The text in a style; plain where there are no colours.
std::string Styled(std::string_view text, Style style, const Terminal& terminal);

}  // namespace peiling::ctl
