// What the outbox asks, answered from a wave's mailing plan.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "services/fieldwork/mail/mail_policy.h"
#include "services/fieldwork/mail/merge.h"
#include "services/fieldwork/mail/plan_sources.h"
#include "services/fieldwork/mail/unsubscribe.h"

namespace peiling::fieldwork {

// Thread-safe.
class PlanPolicy final : public MailPolicy {
 public:
  // What it points to must outlive it. `link`: address of a link with "{token}" in it, for previews.
  PlanPolicy(PlanSources sources, const Unsubscriber& unsubscriber, std::unique_ptr<intake::v1::DraftService::StubInterface> drafts,
             std::string link)
      : sources_(std::move(sources)), unsubscriber_(unsubscriber), drafts_(std::move(drafts)), link_(std::move(link)) {}

  absl::StatusOr<std::vector<std::optional<v1::CancelReason>>> Judge(const std::string& wave, const std::vector<v1::Message>& messages,
                                                                     bool at_beginning) override;
  absl::StatusOr<Mail> Compose(const std::string& wave, const v1::Message& message) override;
  absl::Status Suppress(const std::string& address_token, v1::SuppressionReason reason, const std::string& message) override;

  // As the RPC; the request was checked.
  absl::StatusOr<v1::MailContent> Preview(const v1::PreviewMailRequest& request);

 private:
  using FactsByInvitation = std::map<std::string, std::optional<MailFacts>>;

  // Of the invitations of messages; nullopt for one that is not there.
  absl::StatusOr<FactsByInvitation> FactsOf(const std::string& wave, const std::vector<v1::Message>& messages);
  // Puts in what intake says at this moment about who has submitted.
  absl::Status AskIntake(const std::string& wave, FactsByInvitation& facts);
  absl::StatusOr<MailReceiver> ReceiverOfMessage(const v1::Message& message);
  absl::StatusOr<MailReceiver> ReceiverForPreview(const v1::Invitation& invitation);

  const PlanSources sources_;
  const Unsubscriber& unsubscriber_;
  const std::unique_ptr<intake::v1::DraftService::StubInterface> drafts_;
  const std::string link_;
};

}  // namespace peiling::fieldwork
