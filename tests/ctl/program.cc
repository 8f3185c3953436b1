#include "tests/ctl/program.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace peiling::ctl::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::vector<std::string>& more) {
  std::vector<std::string> all = {"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<std::string> CtlCommand(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {PEILINGCTL};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::vector<std::string> WithServer(const std::string& address, const std::vector<std::string>& environment) {
  std::vector<std::string> all = {"PEILING_SERVER=" + address};
  all.insert(all.end(), environment.begin(), environment.end());
  return all;
}

int Code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Only calls that are safe between fork and exec.
[[noreturn]] void Execute(const std::vector<char*>& command, const std::vector<char*>& environment) {
  execve(command[0], command.data(), environment.data());
  _exit(127);
}

}  // namespace

Program::Program(const std::vector<std::string>& command, const std::vector<std::string>& environment, const std::string& input) {
  char folder[] = "/tmp/peilingctl-test-XXXXXX";
  folder_ = mkdtemp(folder);
  std::ofstream(folder_ + "/in") << input;
  const std::string in = folder_ + "/in";
  const std::string out = folder_ + "/out";
  const std::string err = folder_ + "/err";
  std::vector<std::string> command_texts = command;
  std::vector<std::string> environment_texts = Environment(environment);
  const std::vector<char*> command_pointers = Pointers(command_texts);
  const std::vector<char*> environment_pointers = Pointers(environment_texts);
  process_ = fork();
  if (process_ != 0) return;
  dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
  dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
  Execute(command_pointers, environment_pointers);
}

Program::~Program() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  std::filesystem::remove_all(folder_);
}

bool Program::WaitForOutput(const std::string& text) {
  for (const auto end = steady_clock::now() + seconds(10); steady_clock::now() < end; std::this_thread::sleep_for(milliseconds(20))) {
    if ((ReadWhole(folder_ + "/out") + ReadWhole(folder_ + "/err")).find(text) != std::string::npos) return true;
  }
  return false;
}

void Program::Signal(int number) { kill(process_, number); }

Outcome Program::Wait() {
  Outcome outcome;
  int status = 0;
  for (const auto end = steady_clock::now() + seconds(30); steady_clock::now() < end; std::this_thread::sleep_for(milliseconds(5))) {
    if (waitpid(process_, &status, WNOHANG) != process_) continue;
    process_ = -1;
    outcome.code = Code(status);
    break;
  }
  outcome.out = ReadWhole(folder_ + "/out");
  outcome.err = ReadWhole(folder_ + "/err");
  return outcome;
}

Outcome RunCtl(const std::string& address, const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
               const std::string& input) {
  return Program(CtlCommand(arguments), WithServer(address, environment), input).Wait();
}

Outcome RunCtlOnTerminal(const std::string& address, const std::vector<std::string>& arguments, int columns,
                         const std::vector<std::string>& environment) {
  std::vector<std::string> command_texts = CtlCommand(arguments);
  std::vector<std::string> environment_texts = Environment(WithServer(address, environment));
  const std::vector<char*> command_pointers = Pointers(command_texts);
  const std::vector<char*> environment_pointers = Pointers(environment_texts);
  winsize size{.ws_row = 40, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t process = forkpty(&terminal, nullptr, nullptr, &size);
  if (process == 0) Execute(command_pointers, environment_pointers);
  Outcome outcome;
  char piece[4096];
  for (ssize_t n = 0; (n = read(terminal, piece, sizeof(piece))) > 0;) outcome.out.append(piece, static_cast<size_t>(n));
  int status = 0;
  waitpid(process, &status, 0);
  close(terminal);
  outcome.code = Code(status);
  outcome.out = absl::StrReplaceAll(outcome.out, {{"\r\n", "\n"}});
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  char folder[] = "/tmp/peilingctl-test-XXXXXX";
  path_ = mkdtemp(folder);
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path_); }

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
  std::ofstream(Path(name), std::ios::binary) << text;
  return Path(name);
}

std::string ReadWhole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace peiling::ctl::testing
