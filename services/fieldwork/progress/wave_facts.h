// All that is known of the fieldwork of a wave at one moment, of which its progress is a function.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// What mail has reached those it went to.
struct MailReach {
  // Some was handed over, and did not come back.
  bool reached = false;
  // By a reminder.
  bool reminded = false;
  // Some could not be handed over, for another reason than the address.
  bool failed = false;
};

// What became of the mail of an invitation; that of colleagues is not in it.
struct MailSums {
  int mails = 0;
  int reminders = 0;
  int bounces = 0;
  MailReach contacts;
  // Those who took over.
  MailReach holders;
  absl::Time last = absl::InfinitePast();
  // Contact the last of those that asked a contact went to; empty: none did.
  std::string last_contact;
  absl::Time last_to_contact = absl::InfinitePast();

  void Add(const v1::Message& message);
};

struct WaveFacts {
  std::shared_ptr<const WaveDetails> wave;
  // Those that were not revoked.
  std::vector<v1::Invitation> invitations;
  // Names of those that nobody mail can go to has.
  std::set<std::string> without_receiver;
  // By name of the invitation.
  std::map<std::string, MailSums> mail;
  // By id; trials are left out.
  std::map<std::string, ResponseStand> responses;
  // Municipalities with a record from a submitted response.
  std::set<std::string> submitted;
};

// Where they are read from.
struct FactSources {
  const WaveBook& book;
  std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit)> for_each_invitation;
  std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Message&)>& visit)> for_each_message;
  // Whether there is somebody mail of an invitation can go to.
  std::function<absl::StatusOr<bool>(const v1::Invitation& invitation)> has_receiver;
};

// Errors are those of the sources.
absl::StatusOr<WaveFacts> ReadWaveFacts(const FactSources& sources, const std::string& wave);

}  // namespace peiling::fieldwork
