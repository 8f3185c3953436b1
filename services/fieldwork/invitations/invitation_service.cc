#include "services/fieldwork/invitations/invitation_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/invitations/validate.h"

namespace peiling::fieldwork {
namespace {

using status::Reply;

using absl::StatusCode;
using grpc::ServerContext;

constexpr std::chrono::seconds kIntakeTimeout(5);
// As long as gateways remember what they heard.
constexpr absl::Duration kIdentityHolds = absl::Seconds(1);
constexpr size_t kMaxToken = 1000;
constexpr size_t kRequestIdBytes = 16;
constexpr char kLanguage[] = "nl";

std::unique_ptr<grpc::ClientContext> ContextFor(ServerContext& context) {
  auto client = grpc::ClientContext::FromServerContext(context);
  deadline::Set(*client, std::min(context.deadline(), std::chrono::system_clock::now() + kIntakeTimeout));
  return client;
}

absl::Time EndOf(const intake::v1::Wave& wave) {
  if (!wave.has_closes_at()) return absl::InfiniteFuture();
  return calendar::FromProto(wave.closes_at()) + calendar::FromProto(wave.grace_period());
}

// A response is named as its invitation is.
std::string InvitationOf(const std::string& response) { return InvitationName(names::WaveOf(response), names::LastId(response)); }
std::string ResponseOf(const std::string& invitation) {
  return absl::StrCat(names::WaveOf(invitation), "/responses/", names::LastId(invitation));
}

// The link somebody was let in with, if any.
ByLink LinkOf(const ServerContext& context) { return LinkId::Of(identity::CallerOf(context).subject()); }

// Whether somebody holds the invitation of a response (by a link that held when they were let in), or is an administrator of it.
bool MayManage(const access::v1::Identity& caller, const std::string& response) {
  const ByLink link = LinkId::Of(caller.subject());
  if (link && link->colleague.empty() && link->invitation == InvitationOf(response)) return true;
  return std::any_of(caller.grants().begin(), caller.grants().end(), [&](const access::v1::Grant& grant) {
    if (grant.role() != access::v1::ROLE_ADMINISTRATOR) return false;
    const auto covers = [&](const std::string& limit) { return identity::LiesWithin(response, limit); };
    return grant.resources().empty() || std::any_of(grant.resources().begin(), grant.resources().end(), covers);
  });
}

absl::Status CheckMayManage(const ServerContext& context, const std::string& response) {
  if (MayManage(identity::CallerOf(context), response)) return absl::OkStatus();
  return status::Error(StatusCode::kPermissionDenied, "NOT_THE_HOLDER",
                       "Alleen wie de uitnodiging heeft, kan collega's uitnodigen en verwijderen en de vragenlijst overdragen.",
                       {{"response", response}});
}

// Whether a request is one, and its caller may make it.
template <typename Request>
absl::Status CheckManaging(const ServerContext& context, const Request& request) {
  absl::Status valid = Validate(request);
  return valid.ok() ? CheckMayManage(context, request.response()) : valid;
}

}  // namespace

bool InvitationService::IsOver(const intake::v1::Wave& wave) const { return clock_() >= EndOf(wave); }

absl::Status InvitationService::CheckNotOver(const intake::v1::Wave& wave) const {
  if (!IsOver(wave)) return absl::OkStatus();
  const absl::Time closed = calendar::FromProto(wave.closes_at());
  return status::Error(StatusCode::kFailedPrecondition, "WAVE_CLOSED",
                       absl::StrCat("De vragenlijst is gesloten sinds ", calendar::InDutch(closed), "."),
                       {{"wave", wave.name()}, {"closes_at", absl::FormatTime(absl::RFC3339_full, closed, absl::UTCTimeZone())}});
}

absl::Status InvitationService::CheckNotOver(const std::string& wave) const {
  const auto details = parts_.waves.Details(wave);
  return details.ok() ? CheckNotOver((*details)->wave) : details.status();
}

absl::Status InvitationService::CheckContact(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  const auto contact = parts_.contacts.Get(name);
  if (!contact.ok() || !contact->has_erased_at()) return contact.status();
  return status::Error(StatusCode::kNotFound, "CONTACT_NOT_FOUND", absl::StrCat(name, " was erased"), {{"contact", name}});
}

grpc::Status InvitationService::IssueInvitations(ServerContext*, const v1::IssueInvitationsRequest* request,
                                                 v1::IssueInvitationsResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const auto details = parts_.waves.Get(request->parent());
  if (!details.ok()) return status::ToGrpc(details.status());
  const std::string today = calendar::DayOf(clock_());
  const auto find_contact = [&](const v1::Invitation& invitation) { return FirstContact(invitation, today, parts_.contacts, suppressed_); };
  return Reply(parts_.invitations.Issue(*request, *(*details)->frame, find_contact, CheckNotOver((*details)->wave)), response);
}

absl::StatusOr<v1::Invitation> InvitationService::Get(const std::string& name) {
  auto invitation = parts_.invitations.Get(name);
  if (!invitation.ok()) return invitation;
  const auto details = parts_.waves.Details(names::WaveOf(name));
  if (!details.ok()) return details.status();
  invitation->set_state(StateOf(*invitation, IsOver((*details)->wave)));
  return invitation;
}

grpc::Status InvitationService::GetInvitation(ServerContext*, const v1::GetInvitationRequest* request,
                                              v1::GetInvitationResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(Get(request->name()), response->mutable_invitation());
}

grpc::Status InvitationService::ListInvitations(ServerContext*, const v1::ListInvitationsRequest* request,
                                                v1::ListInvitationsResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  const auto details = parts_.waves.Details(request->parent());
  if (!details.ok()) return status::ToGrpc(details.status());
  return Reply(parts_.invitations.List(*request, page, IsOver((*details)->wave)), response);
}

grpc::Status InvitationService::ReissueInvitation(ServerContext*, const v1::ReissueInvitationRequest* request,
                                                  v1::ReissueInvitationResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  absl::Status allowed = CheckNotOver(names::WaveOf(request->name()));
  if (allowed.ok()) allowed = CheckContact(request->contact());
  return Reply(parts_.invitations.Reissue(*request, allowed), response);
}

grpc::Status InvitationService::RevokeInvitation(ServerContext*, const v1::RevokeInvitationRequest* request,
                                                 v1::RevokeInvitationResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.invitations.Revoke(*request), response);
}

absl::StatusOr<InvitationService::Place> InvitationService::TakePlace() {
  if (places_.try_acquire()) return Place(&places_, [](auto* places) { places->release(); });
  return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_AT_ONCE", "Het is druk; probeer het zo meteen opnieuw.");
}

absl::StatusOr<std::string> InvitationService::Draft(const v1::Invitation& invitation, const std::string& language,
                                                     ServerContext& context) {
  if (!invitation.response().empty()) return invitation.response();
  const auto place = TakePlace();
  if (!place.ok()) return place.status();
  intake::v1::CreateDraftRequest request;
  request.set_parent(names::WaveOf(invitation.name()));
  request.set_response_id(names::LastId(invitation.name()));
  *request.mutable_municipalities() = invitation.municipalities();
  request.set_language(language.empty() ? kLanguage : language);
  // One that is there for these municipalities is answered as it is: so however often a link is shown, and whatever was lost, one is made.
  request.set_request_id(absl::StrCat("invitation-", absl::BytesToHexString(vault::RandomBytes(kRequestIdBytes))));
  intake::v1::CreateDraftResponse response;
  const absl::Status made = status::FromGrpc(parts_.drafts.CreateDraft(ContextFor(context).get(), request, &response));
  if (status::Reason(made) == "WAVE_CLOSED") return "";
  if (!made.ok()) return made;
  return response.draft().name();
}

absl::StatusOr<v1::RedeemInvitationResponse> InvitationService::Redeem(const LinkId& id, const std::string& language,
                                                                       ServerContext& context) {
  const auto rights = parts_.invitations.RightsOf(id);
  if (!rights.ok()) return rights.status();
  const v1::Invitation& invitation = rights->invitation;
  const auto details = parts_.waves.Details(names::WaveOf(id.invitation));
  if (!details.ok()) return details.status();
  auto draft = Draft(invitation, language, context);
  if (!draft.ok()) return draft.status();
  if (!rights->opened || invitation.response() != *draft) {
    if (absl::Status marked = parts_.invitations.MarkOpened(id, *draft); !marked.ok()) return marked;
  }

  v1::RedeemInvitationResponse response;
  const intake::v1::Wave& wave = (*details)->wave;
  response.set_wave(wave.name());
  response.set_read_only(draft->empty() || IsOver(wave));
  response.set_response(*std::move(draft));
  *response.mutable_municipalities() = invitation.municipalities();
  for (const std::string& code : invitation.municipalities()) {
    const Frame* const frame = (*details)->frame.get();
    const registry::v1::Municipality* municipality = frame == nullptr ? nullptr : frame->Find(code);
    response.add_titles(municipality == nullptr ? code : municipality->title());
  }
  response.mutable_sections()->Assign(rights->sections.begin(), rights->sections.end());
  response.set_holder(id.colleague.empty());
  if (wave.has_closes_at()) *response.mutable_closes_at() = calendar::ToProto(EndOf(wave));
  return response;
}

grpc::Status InvitationService::RedeemInvitation(ServerContext* context, const v1::RedeemInvitationRequest* request,
                                                 v1::RedeemInvitationResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const ByLink id = LinkOf(*context);
  if (!id) {
    return status::ToGrpc(status::Error(StatusCode::kPermissionDenied, "NO_INVITATION", "want the token of an invitation as credential"));
  }
  return Reply(Redeem(*id, request->language(), *context), response);
}

absl::Status InvitationService::CheckSections(const v1::InviteColleagueRequest& request, ServerContext& context) {
  if (request.sections().empty()) return absl::OkStatus();
  const auto details = parts_.waves.Details(names::WaveOf(request.response()));
  if (!details.ok()) return details.status();
  const auto place = TakePlace();
  if (!place.ok()) return place.status();
  const auto count = sections_.Count((*details)->wave, *ContextFor(context));
  if (!count.ok()) return count.status();
  status::BadRequest bad;
  for (int i = 0; i < request.sections_size(); ++i) {
    if (request.sections(i) <= *count) continue;
    bad.Add(absl::StrCat("sections[", i, "]"), absl::StrCat(request.sections(i), ", the questionnaire has ", *count));
  }
  return bad.ToStatus();
}

grpc::Status InvitationService::InviteColleague(ServerContext* context, const v1::InviteColleagueRequest* request,
                                                v1::InviteColleagueResponse* response) {
  if (absl::Status fine = CheckManaging(*context, *request); !fine.ok()) return status::ToGrpc(fine);
  absl::Status allowed = CheckNotOver(names::WaveOf(request->response()));
  if (allowed.ok()) allowed = CheckSections(*request, *context);
  return Reply(parts_.invitations.InviteColleague(*request, LinkOf(*context), allowed), response);
}

grpc::Status InvitationService::ListColleagues(ServerContext* context, const v1::ListColleaguesRequest* request,
                                               v1::ListColleaguesResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const bool with_addresses = MayManage(identity::CallerOf(*context), request->response());
  return Reply(parts_.invitations.ListColleagues(*request, LinkOf(*context), with_addresses), response);
}

grpc::Status InvitationService::RemoveColleague(ServerContext* context, const v1::RemoveColleagueRequest* request,
                                                v1::RemoveColleagueResponse* response) {
  if (absl::Status fine = CheckManaging(*context, *request); !fine.ok()) return status::ToGrpc(fine);
  return Reply(parts_.invitations.RemoveColleague(*request, LinkOf(*context)), response);
}

grpc::Status InvitationService::HandOver(ServerContext* context, const v1::HandOverRequest* request, v1::HandOverResponse* response) {
  if (absl::Status fine = CheckManaging(*context, *request); !fine.ok()) return status::ToGrpc(fine);
  return Reply(parts_.invitations.HandOver(*request, LinkOf(*context), CheckNotOver(names::WaveOf(request->response()))), response);
}

absl::StatusOr<access::v1::Identity> InvitationService::Verify(const std::string& token) {
  if (token.size() > kMaxToken) return TokenUnknown();
  const auto rights = parts_.invitations.Verify(token);
  if (!rights.ok()) return rights.status();
  const std::string& invitation = rights->invitation.name();
  const auto details = parts_.waves.Details(names::WaveOf(invitation));
  if (absl::IsNotFound(details.status())) return TokenUnknown();
  if (!details.ok()) return details.status();
  const intake::v1::Wave& wave = (*details)->wave;
  const absl::Time now = clock_();
  if (wave.has_personal_data_erased_at() && now >= calendar::FromProto(wave.personal_data_erased_at())) return TokenUnknown();

  access::v1::Identity identity;
  identity.set_subject(LinkId{.invitation = invitation, .colleague = rights->colleague, .issue = rights->invitation.issue()}.Subject());
  access::v1::Grant& grant = *identity.add_grants();
  grant.set_role(access::v1::ROLE_RESPONDENT);
  grant.add_resources(ResponseOf(invitation));
  grant.mutable_sections()->Assign(rights->sections.begin(), rights->sections.end());
  identity.set_credential(access::v1::CREDENTIAL_KIND_INVITATION);
  *identity.mutable_expires_at() = calendar::ToProto(now + kIdentityHolds);
  return identity;
}

grpc::Status InvitationService::VerifyToken(ServerContext* context, const v1::VerifyTokenRequest* request,
                                            v1::VerifyTokenResponse* response) {
  if (absl::Status gateway = identity::CheckGateway(*context, gateways_); !gateway.ok()) return status::ToGrpc(gateway);
  return Reply(Verify(request->token()), response->mutable_identity());
}

}  // namespace peiling::fieldwork
