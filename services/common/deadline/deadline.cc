#include "services/common/deadline/deadline.h"

#include "grpc/support/time.h"

namespace peiling::deadline {

using std::chrono::system_clock;

void Set(grpc::ClientContext& context, system_clock::duration timeout) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count();
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(nanoseconds, GPR_TIMESPAN)));
}

void Set(grpc::ClientContext& context, system_clock::time_point end) {
  if (end != system_clock::time_point::max()) Set(context, end - system_clock::now());
}

}  // namespace peiling::deadline
