// How a message goes from one state to another, whoever says so. Pure; what is stored of it stands in peiling/storage/v1/outbox.proto.
//
// What is told of a message comes late, twice and in any order, so that it never depends on the order: of all that was said, that counts
// which is most: sent, refused by the mailing system, arrived, come back. Only that it was delayed depends on what else is known: it was
// sent then, unless all attempts are known to have failed.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "peiling/storage/v1/outbox.pb.h"

namespace peiling::fieldwork {

// A message could not be handed over at most so many times and one; then it failed.
inline constexpr int kMaxMailRetries = 5;
// Events kept of a message; of more, the latest.
inline constexpr int kMaxMailEvents = 50;
// Who says what the outcome of sending says, and that nothing was heard: providers of events that nobody else may be. Their events have the
// lease as id.
inline constexpr char kCompletion[] = "completion";
inline constexpr char kSettling[] = "settling";

// How long a message waits before it is tried again after so many failures, from 1.
absl::Duration MailRetryDelay(int failures);

// When a message that is due may be leased.
absl::Time LeasableAt(const storage::v1::StoredMessage& stored);
// Whether it will be sent, or may have been, and nobody knows better.
bool IsOpen(v1::MessageState state);
// Whether its address is one that mail does not reach, as far as this message tells, so that somebody else is to be written to. What failed
// for another reason says nothing of the address.
bool CameBack(const v1::Message& message);
// Whether it was begun under this lease: under it, or nothing was heard of it since.
bool IsOrWasUnder(const storage::v1::StoredMessage& stored, const std::string& lease_id);

void Lease(storage::v1::StoredMessage& stored, const std::string& lease_id, absl::Time expires_at);
// It is nobody's any more: its lease ended before it was begun, or it was not sent after all.
void ReturnToQueue(storage::v1::StoredMessage& stored);
// It was not even tried: it is due at once, and its lease did not count.
void Untried(storage::v1::StoredMessage& stored);
// Its lease ended after it was begun.
void AwaitEvents(storage::v1::StoredMessage& stored, absl::Time until);
// Nothing was heard of it in that time. The first time it was not sent, and is due again; the second time it counts as sent, since a server
// that takes mail and hangs up before it says so would be sent it for ever. An event tells of either.
void Settle(storage::v1::StoredMessage& stored, absl::Time now);
void Cancel(storage::v1::StoredMessage& stored, v1::CancelReason reason);
// It could not be handed over for now.
void Fail(storage::v1::StoredMessage& stored, absl::Time now);
// It could not be handed over for good: because of its address, or for another reason. Something that says more may have been heard of it.
void ComeBack(storage::v1::StoredMessage& stored);
void FailForGood(storage::v1::StoredMessage& stored);

// Keeps an event with the message, by when it happened.
void Keep(storage::v1::StoredMessage& stored, const v1::DeliveryEvent& event);
// Keeps an event of a mailing system, and draws the conclusion.
void Apply(storage::v1::StoredMessage& stored, const v1::DeliveryEvent& event);

}  // namespace peiling::fieldwork
