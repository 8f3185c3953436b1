#include "services/ctl/client/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace peiling::ctl {
namespace {

constexpr char kSignal = 's';
constexpr char kEnd = 'e';

// The handler may run on any thread and may do little more than write: a pipe takes the word to the waiter.
int pipe_ends[2] = {-1, -1};

void Tell(char word) {
  const ssize_t written = write(pipe_ends[1], &word, 1);
  (void)written;  // a full pipe holds a word already
}

void OnSignal(int) { Tell(kSignal); }

void Handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = handler == SIG_DFL ? 0 : SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

CancelOnInterrupt::CancelOnInterrupt(grpc::ClientContext& call) {
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return;
  waiter_ = std::thread([this, &call] {
    char word = 0;
    if (read(pipe_ends[0], &word, 1) != 1 || word != kSignal) return;
    interrupted_ = true;
    call.TryCancel();
  });
  Handle(OnSignal);
}

CancelOnInterrupt::~CancelOnInterrupt() {
  if (!waiter_.joinable()) return;
  Handle(SIG_DFL);
  Tell(kEnd);
  waiter_.join();
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace peiling::ctl
