#include "services/ctl/commands/positions.h"

#include "services/common/feed/position.h"

namespace peiling::ctl {

void MinimumPosition::AddFlags(CLI::App& command) {
  command
      .add_option("--min-submissions", submissions,
                  "Wait until the submission feed is counted up to here (`import -o json` says where); 12,9,14 by partition when the wave "
                  "has several")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--min-records", records, "Wait until the record feed is counted up to here");
}

survey::v1::FeedPosition MinimumPosition::ToProto() const {
  survey::v1::FeedPosition position;
  for (size_t partition = 0; partition < submissions.size(); ++partition) {
    feed::SetSubmissions(position, static_cast<int>(partition), submissions[partition]);
  }
  position.set_records(records);
  return position;
}

}  // namespace peiling::ctl
