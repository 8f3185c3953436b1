#include "services/ctl/commands/commands.h"

namespace peiling::ctl {

void AddAllCommands(CommandLine& line) {
  AddApply(line);
  AddValidate(line);
  AddGet(line);
  AddImport(line);
  AddProgress(line);
  AddWatch(line);
  AddCases(line);
  AddDecisions(line);
  AddResponses(line);
  AddRecords(line);
  AddReport(line);
  AddTable(line);
  AddTrend(line);
  AddMunicipality(line);
  AddWave(line);
  AddContacts(line);
  AddInvitations(line);
  AddColleagues(line);
  AddMail(line);
  AddSuppressions(line);
  AddFieldwork(line);
  AddDrafts(line);
  AddWebhooks(line);
  AddKeys(line);
  AddAudit(line);
  AddCaller(line);
  AddStore(line);
  AddDoctor(line);
  AddWait(line);
  AddVersion(line);
  AddCompletion(line);
}

}  // namespace peiling::ctl
