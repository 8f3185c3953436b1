#include "services/ctl/commands/positions.h"

namespace peiling::ctl {

void MinimumPosition::AddFlags(CLI::App& command) {
  command.add_option("--min-submissions", submissions,
                     "Wait until the submission feed is counted up to here (`import -o json` says where)");
  command.add_option("--min-records", records, "Wait until the record feed is counted up to here");
}

survey::v1::FeedPosition MinimumPosition::ToProto() const {
  survey::v1::FeedPosition position;
  position.set_submissions(submissions);
  position.set_records(records);
  return position;
}

}  // namespace peiling::ctl
