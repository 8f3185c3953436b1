// whoami: who the gateway takes the caller for.
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/grants.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> ShowCaller(Session& session) {
  const auto response = session.connection().Call(&Access::GetCaller, access::v1::GetCallerRequest());
  if (!response.ok()) return response.status();
  const access::v1::Identity& identity = response->identity();
  Table table({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&table](const std::string& fact, const std::string& value) {
    if (!value.empty()) table.Add({fact, value});
  };
  add("subject", identity.subject());
  add("title", identity.title());
  add("credential", Word(identity.credential()));
  add("roles", GrantsText(identity.grants()));
  add("until", Moment(identity.expires_at()));
  session.output().Show(identity, table, {identity.subject()});
  return ExitCode::kOk;
}

}  // namespace

void AddCaller(CommandLine& line) {
  line.AddCommand(line.root(),
                  {.name = "whoami",
                   .description = "Show who the gateway takes you for, and what you may do",
                   .examples = "  peilingctl whoami\n  peilingctl whoami -o json\n",
                   .names = true},
                  ShowCaller);
}

}  // namespace peiling::ctl
