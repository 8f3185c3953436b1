// What contacts were written to for, from the mail of all waves.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/storage/store.h"

namespace peiling::fieldwork {

// Errors are those of the store. Thread-safe.
class ContactUses {
 public:
  // Visits all messages of a wave (Outbox::ForEach).
  using ForEachMessage = std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Message&)>& visit)>;

  // `store`, which has the mail, must outlive it.
  ContactUses(storage::Store& store, ForEachMessage for_each_message) : store_(store), for_each_message_(std::move(for_each_message)) {}

  // Responses of the invitations that were mailed to a contact, sorted; also when they may have been, and when the mail came back.
  absl::StatusOr<std::vector<std::string>> ResponsesOf(const std::string& contact) const;

  // For every contact the waves there is mail to it in, sent or not.
  absl::StatusOr<std::map<std::string, std::set<std::string>>> Waves() const;

 private:
  absl::Status ForEach(const std::function<void(const std::string& wave, const v1::Message& message)>& visit) const;

  storage::Store& store_;
  const ForEachMessage for_each_message_;
};

}  // namespace peiling::fieldwork
