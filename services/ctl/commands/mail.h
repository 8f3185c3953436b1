// Commands of the group `mail` that have a file of their own.
#pragma once

#include <string>
#include <vector>

#include "services/ctl/command_line.h"

namespace peiling::ctl {

void AddMailRun(CommandLine& line, CLI::App& group);
void AddMailMerge(CommandLine& line, CLI::App& group);
void AddMailBounces(CommandLine& line, CLI::App& group);

// Something to be told of a message, or why it cannot be.
struct MailReport {
  // Where it is from: a line, a mail.
  std::string place;
  // Of an outcome; empty for an event.
  std::string lease_id;
  fieldwork::v1::MailOutcome outcome;
  fieldwork::v1::DeliveryEvent event;
  // With a problem from the beginning it is not told.
  fieldwork::v1::MailItemResult result;

  bool ok() const;
};

MailReport UnreadableReport(const std::string& place, std::string_view problem);

// Tells all that can be told, and what was answered. Doing so twice does no harm.
absl::Status TellReports(Session& session, const std::string& wave, std::vector<MailReport>& reports);
// Shows every one that was not taken, and how many were: kNo when there is one. `places` heads the column of places.
ExitCode ShowReports(Session& session, const std::string& places, const std::vector<MailReport>& reports);

}  // namespace peiling::ctl
