// peilingctl as a user runs it: a process with its own environment.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace peiling::ctl::testing {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// A running program; output goes to files, so nothing blocks.
class Program {
 public:
  // `environment` ("NAME=value") is added to a small fixed one; `input` is standard input.
  Program(const std::vector<std::string>& command, const std::vector<std::string>& environment, const std::string& input = "");
  ~Program();

  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Whether the text is on standard output, or error, within ten seconds.
  bool WaitForOutput(const std::string& text);
  void Signal(int number);
  // Waits for the end, at most thirty seconds; then it is killed and the code is -1.
  Outcome Wait();

 private:
  std::string folder_;
  pid_t process_ = -1;
};

// Runs peilingctl against an address to its end.
Outcome RunCtl(const std::string& address, const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {},
               const std::string& input = "");

// Runs peilingctl on a terminal of so many columns; `out` has what the terminal got, both streams together, with LF line ends.
Outcome RunCtlOnTerminal(const std::string& address, const std::vector<std::string>& arguments, int columns,
                         const std::vector<std::string>& environment = {});

// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  // Path of a file in it, made with this text.
  std::string Write(const std::string& name, const std::string& text) const;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadWhole(const std::string& path);

}  // namespace peiling::ctl::testing
