// Preloaded into a process, sets its wall clock forward or back by what a file says (seconds, 8 bytes, at PEILING_CLOCK_SHIFT), as when
// somebody sets the time of a machine. The monotonic clock goes on. Waits until a time of the wall clock are turned back into the kernel's.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

using Syscall = long (*)(long, ...);

Syscall Kernel() {
  static const auto next = Next<Syscall>("syscall");
  return next;
}

int64_t Shift() {
  static const volatile int64_t* shift = [] {
    static const int64_t none = 0;
    const char* path = getenv("PEILING_CLOCK_SHIFT");
    const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return &none;
    void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return mapped == MAP_FAILED ? &none : static_cast<const int64_t*>(mapped);
  }();
  return *shift;
}

bool IsWallClock(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

// A time long gone stays a time, as the kernel wants it.
timespec ToKernel(const timespec& time) {
  const time_t seconds = time.tv_sec - Shift();
  return seconds < 0 ? timespec{} : timespec{.tv_sec = seconds, .tv_nsec = time.tv_nsec};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (Kernel()(SYS_clock_gettime, clock, time) != 0) return -1;
  if (IsWallClock(clock)) time->tv_sec += Shift();
  return 0;
}

int gettimeofday(timeval* time, void*) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* into) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  static const auto next = Next<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  const timespec kernel = ToKernel(*until);
  return next(condition, mutex, &kernel);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  static const auto next = Next<int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>("pthread_cond_clockwait");
  const timespec kernel = IsWallClock(clock) ? ToKernel(*until) : *until;
  return next(condition, mutex, clock, &kernel);
}

// Abseil waits with futexes of its own.
long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  timespec kernel;
  if (number == SYS_futex && (arguments[1] & FUTEX_CLOCK_REALTIME) != 0 && arguments[3] != 0) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): arguments of the kernel are numbers.
    kernel = ToKernel(*reinterpret_cast<const timespec*>(arguments[3]));
    arguments[3] = reinterpret_cast<long>(&kernel);
  }
  return Kernel()(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
}
