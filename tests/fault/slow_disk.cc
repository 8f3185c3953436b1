// Preloaded into a process, makes its disk slow: each fdatasync takes as many microseconds more as a file says (8 bytes, at
// PEILING_SLOW_DISK).
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

extern "C" int fdatasync(int descriptor) {
  static const auto next = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fdatasync"));
  int64_t microseconds = 0;
  const char* path = getenv("PEILING_SLOW_DISK");
  const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    if (read(file, &microseconds, sizeof(microseconds)) != sizeof(microseconds)) microseconds = 0;
    close(file);
  }
  if (microseconds > 0) usleep(static_cast<useconds_t>(microseconds));
  return next(descriptor);
}
