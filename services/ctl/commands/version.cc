// version: what this program is.
#include "google/protobuf/struct.pb.h"
#include "services/ctl/commands/commands.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> ShowVersion(Session& session) {
  google::protobuf::Struct version;
  Table table({{"PROGRAM"}, {"VERSION"}});
  for (const auto& [program, number] : {std::pair{"peilingctl", std::string(PEILING_VERSION)}, {"grpc", grpc::Version()}}) {
    (*version.mutable_fields())[program].set_string_value(number);
    table.Add({program, number});
  }
  session.output().Show(version, table);
  return ExitCode::kOk;
}

}  // namespace

void AddVersion(CommandLine& line) {
  line.AddCommand(line.root(),
                  {.name = "version",
                   .description = "Show the version of this program",
                   .examples = "  peilingctl version\n  peilingctl version -o json\n"},
                  ShowVersion);
}

}  // namespace peiling::ctl
