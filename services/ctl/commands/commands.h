// Every group of commands, one file each.
#pragma once

#include "services/ctl/command_line.h"

namespace peiling::ctl {

void AddApply(CommandLine& line);
void AddGet(CommandLine& line);
void AddValidate(CommandLine& line);
void AddImport(CommandLine& line);
void AddProgress(CommandLine& line);
void AddWatch(CommandLine& line);
void AddCases(CommandLine& line);
void AddDecisions(CommandLine& line);
void AddRecords(CommandLine& line);
void AddResponses(CommandLine& line);
void AddKeys(CommandLine& line);
void AddAudit(CommandLine& line);
void AddCaller(CommandLine& line);
void AddReport(CommandLine& line);
void AddTable(CommandLine& line);
void AddTrend(CommandLine& line);
void AddMunicipality(CommandLine& line);
void AddContacts(CommandLine& line);
void AddInvitations(CommandLine& line);
void AddColleagues(CommandLine& line);
void AddMail(CommandLine& line);
void AddSuppressions(CommandLine& line);
void AddFieldwork(CommandLine& line);
void AddDrafts(CommandLine& line);
void AddWebhooks(CommandLine& line);
void AddStore(CommandLine& line);
void AddDoctor(CommandLine& line);
void AddWait(CommandLine& line);
void AddVersion(CommandLine& line);
void AddWave(CommandLine& line);
void AddCompletion(CommandLine& line);

// All of them, in the order help shows them.
void AddAllCommands(CommandLine& line);

}  // namespace peiling::ctl
