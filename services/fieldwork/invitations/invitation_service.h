// The gRPC handlers of invitations: check the request, ask the domain, map the status.
#pragma once

#include <optional>
#include <semaphore>
#include <string>

#include "absl/status/statusor.h"
#include "peiling/access/v1/identity.pb.h"
#include "peiling/fieldwork/v1/invitations.grpc.pb.h"
#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/identity/gateways.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/invitations/contact_choice.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/invitations/questionnaire_sections.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// Every call holds one of gRPC's threads; a few at once wait for intake, so that links are verified however slow it is. Beside the reasons
// its contract names: PERMISSION_DENIED/NOT_A_GATEWAY for who verifies tokens and is none; RESOURCE_EXHAUSTED/TOO_MANY_AT_ONCE when those
// places are taken, TOO_MANY_COLLEAGUES and TOO_MANY_HAND_OVERS beyond those of a day.
class InvitationService final : public v1::InvitationService::Service {
 public:
  // Calls that wait for intake at a time.
  static constexpr int kMostAtIntake = 8;

  struct Parts {
    InvitationStore& invitations;
    ContactStore& contacts;
    const WaveBook& waves;
    intake::v1::DraftService::StubInterface& drafts;
    intake::v1::IntakeService::StubInterface& intake;
  };

  // All must outlive it. `gateways`: who may have tokens verified.
  InvitationService(const Parts& parts, Suppressed suppressed, calendar::Clock clock, identity::GatewayNames gateways = std::nullopt)
      : parts_(parts),
        suppressed_(std::move(suppressed)),
        clock_(std::move(clock)),
        gateways_(std::move(gateways)),
        sections_(parts.intake) {}

  grpc::Status IssueInvitations(grpc::ServerContext* context, const v1::IssueInvitationsRequest* request,
                                v1::IssueInvitationsResponse* response) override;
  grpc::Status GetInvitation(grpc::ServerContext* context, const v1::GetInvitationRequest* request,
                             v1::GetInvitationResponse* response) override;
  grpc::Status ListInvitations(grpc::ServerContext* context, const v1::ListInvitationsRequest* request,
                               v1::ListInvitationsResponse* response) override;
  grpc::Status ReissueInvitation(grpc::ServerContext* context, const v1::ReissueInvitationRequest* request,
                                 v1::ReissueInvitationResponse* response) override;
  grpc::Status RevokeInvitation(grpc::ServerContext* context, const v1::RevokeInvitationRequest* request,
                                v1::RevokeInvitationResponse* response) override;
  grpc::Status RedeemInvitation(grpc::ServerContext* context, const v1::RedeemInvitationRequest* request,
                                v1::RedeemInvitationResponse* response) override;
  grpc::Status InviteColleague(grpc::ServerContext* context, const v1::InviteColleagueRequest* request,
                               v1::InviteColleagueResponse* response) override;
  grpc::Status ListColleagues(grpc::ServerContext* context, const v1::ListColleaguesRequest* request,
                              v1::ListColleaguesResponse* response) override;
  grpc::Status RemoveColleague(grpc::ServerContext* context, const v1::RemoveColleagueRequest* request,
                               v1::RemoveColleagueResponse* response) override;
  grpc::Status HandOver(grpc::ServerContext* context, const v1::HandOverRequest* request, v1::HandOverResponse* response) override;
  grpc::Status VerifyToken(grpc::ServerContext* context, const v1::VerifyTokenRequest* request, v1::VerifyTokenResponse* response) override;

 private:
  // Whether the wave takes answers no more, whenever they were begun.
  bool IsOver(const intake::v1::Wave& wave) const;
  // FAILED_PRECONDITION/WAVE_CLOSED.
  absl::Status CheckNotOver(const intake::v1::Wave& wave) const;
  // The same of a wave by its name.
  absl::Status CheckNotOver(const std::string& wave) const;
  // NOT_FOUND/CONTACT_NOT_FOUND, also when it was erased. "": fine.
  absl::Status CheckContact(const std::string& name);
  // A place among those who wait for intake, until the end of what it is given to. RESOURCE_EXHAUSTED/TOO_MANY_AT_ONCE.
  using Place = std::unique_ptr<std::counting_semaphore<kMostAtIntake>, void (*)(std::counting_semaphore<kMostAtIntake>*)>;
  absl::StatusOr<Place> TakePlace();
  absl::Status CheckSections(const v1::InviteColleagueRequest& request, grpc::ServerContext& context);
  absl::StatusOr<v1::Invitation> Get(const std::string& name);
  absl::StatusOr<v1::RedeemInvitationResponse> Redeem(const LinkId& id, const std::string& language, grpc::ServerContext& context);
  // The name of the draft, made when it is not there yet; "" when there is none and the wave takes none any more.
  absl::StatusOr<std::string> Draft(const v1::Invitation& invitation, const std::string& language, grpc::ServerContext& context);
  absl::StatusOr<access::v1::Identity> Verify(const std::string& token);

  const Parts parts_;
  const Suppressed suppressed_;
  const calendar::Clock clock_;
  const identity::GatewayNames gateways_;
  QuestionnaireSections sections_;
  std::counting_semaphore<kMostAtIntake> places_{kMostAtIntake};
};

}  // namespace peiling::fieldwork
