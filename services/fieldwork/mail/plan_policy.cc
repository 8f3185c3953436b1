#include "services/fieldwork/mail/plan_policy.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/deadline/deadline.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;
using survey::v1::MailTemplate;

constexpr std::chrono::seconds kCallDeadline(5);
// In the links of a preview.
constexpr char kNoToken[] = "voorbeeld";
// Of BatchGetResponseStates.
constexpr size_t kMaxStates = 1000;

absl::Status StepNotFound(const std::string& step) {
  return status::Error(StatusCode::kNotFound, "STEP_NOT_FOUND", absl::StrCat("the mailing plan has no step \"", step, "\""),
                       {{"step", step}});
}

absl::Status NoContact(const std::string& invitation) {
  return status::Error(StatusCode::kFailedPrecondition, "NO_CONTACT", "there is nobody to write to", {{"invitation", invitation}});
}

MailReceiver ReceiverFrom(const v1::Contact& contact) {
  return {.address = contact.email(),
          .full_name = contact.full_name(),
          .salutation = contact.salutation(),
          .job_title = contact.job_title(),
          .language = contact.language().empty() ? "nl" : contact.language(),
          .general = contact.kind() == v1::CONTACT_KIND_GENERAL};
}

// Colleagues do not say what they speak.
MailReceiver ReceiverFrom(const LinkHolder& holder) {
  return {.address = holder.email, .full_name = holder.full_name, .language = "nl", .took_over = holder.id == InvitationStore::kHolder};
}

// Mail that nobody asked for; thanks and links for colleagues were, in a way.
bool CanUnsubscribe(survey::v1::MailKind kind) {
  return kind == survey::v1::MAIL_KIND_INVITATION || kind == survey::v1::MAIL_KIND_REMINDER || kind == survey::v1::MAIL_KIND_EXTENSION;
}

}  // namespace

absl::StatusOr<PlanPolicy::FactsByInvitation> PlanPolicy::FactsOf(const std::string& wave, const std::vector<v1::Message>& messages) {
  FactsByInvitation all;
  for (const v1::Message& message : messages) {
    const auto [entry, added] = all.try_emplace(message.invitation());
    if (!added) continue;
    auto invitation = sources_.invitations.Get(message.invitation());
    if (absl::IsNotFound(invitation.status())) continue;
    if (!invitation.ok()) return invitation.status();
    auto facts = ReadFacts(sources_, wave, *std::move(invitation));
    if (!facts.ok()) return facts.status();
    entry->second = *std::move(facts);
  }
  return all;
}

absl::Status PlanPolicy::AskIntake(const std::string& wave, FactsByInvitation& facts) {
  std::vector<MailFacts*> asked;
  for (auto& [invitation, known] : facts) {
    if (known.has_value()) asked.push_back(&*known);
  }
  for (size_t begin = 0; begin < asked.size(); begin += kMaxStates) {
    const size_t count = std::min(kMaxStates, asked.size() - begin);
    intake::v1::BatchGetResponseStatesRequest request;
    request.set_parent(wave);
    for (size_t i = 0; i < count; ++i) request.add_response_ids(ResponseIdOf(asked[begin + i]->invitation));
    grpc::ClientContext context;
    deadline::Set(context, kCallDeadline);
    intake::v1::BatchGetResponseStatesResponse response;
    const absl::Status called = status::FromGrpc(drafts_->BatchGetResponseStates(&context, request, &response));
    if (!called.ok() || response.states_size() != static_cast<int>(count)) {
      return status::Error(StatusCode::kUnavailable, "INTAKE_UNAVAILABLE",
                           absl::StrCat("intake cannot tell who has submitted: ", std::string(called.message())));
    }
    for (size_t i = 0; i < count; ++i) {
      asked[begin + i]->submitted = response.states(static_cast<int>(i)) == intake::v1::RESPONSE_STATE_SUBMITTED;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::optional<v1::CancelReason>>> PlanPolicy::Judge(const std::string& wave,
                                                                               const std::vector<v1::Message>& messages,
                                                                               bool at_beginning) {
  const auto details = sources_.book.Get(wave);
  if (!details.ok()) return details.status();
  auto facts = FactsOf(wave, messages);
  if (!facts.ok()) return facts.status();
  if (at_beginning) {
    if (absl::Status asked = AskIntake(wave, *facts); !asked.ok()) return asked;
  }
  const absl::Time now = sources_.clock();
  std::vector<std::optional<v1::CancelReason>> reasons;
  for (const v1::Message& message : messages) {
    const std::optional<MailFacts>& known = facts->at(message.invitation());
    reasons.push_back(known.has_value() ? WhyNot(now, (*details)->wave, *known, message) : v1::CANCEL_REASON_REVOKED);
  }
  return reasons;
}

absl::StatusOr<MailReceiver> PlanPolicy::ReceiverOfMessage(const v1::Message& message) {
  if (!message.contact().empty()) {
    const auto contact = sources_.contacts.Get(message.contact());
    if (!contact.ok()) return contact.status();
    if (contact->email().empty()) return NoContact(message.invitation());
    auto made = sources_.invitations.LinkOfContact(message.invitation(), message.contact());
    // Thanks also go to who was written to and has no link (any more).
    const bool without = message.kind() == survey::v1::MAIL_KIND_THANKS && status::Reason(made.status()) == "INVITATION_REVOKED";
    if (!made.ok() && !without) return made.status();
    MailReceiver receiver = ReceiverFrom(*contact);
    if (made.ok()) receiver.link = *std::move(made);
    return receiver;
  }
  const auto holders = sources_.invitations.LinkHolders(message.invitation());
  if (!holders.ok()) return holders.status();
  const std::string mail_id = ReceiverOf(message);
  const auto holder = std::find_if(holders->begin(), holders->end(), [&](const LinkHolder& each) { return each.mail_id == mail_id; });
  if (holder == holders->end()) return NoContact(message.invitation());
  auto made = sources_.invitations.LinkOfHolder(message.invitation(), holder->id);
  if (!made.ok()) return made.status();
  MailReceiver receiver = ReceiverFrom(*holder);
  receiver.link = *std::move(made);
  return receiver;
}

absl::StatusOr<Mail> PlanPolicy::Compose(const std::string& wave, const v1::Message& message) {
  const auto details = sources_.book.Get(wave);
  if (!details.ok()) return details.status();
  const survey::v1::MailingStep* step = FindStep((*details)->wave, message.step());
  if (step == nullptr || step->templates().empty()) return StepNotFound(message.step());
  const auto invitation = sources_.invitations.Get(message.invitation());
  if (!invitation.ok()) return invitation.status();
  auto receiver = ReceiverOfMessage(message);
  if (!receiver.ok()) return receiver.status();
  auto token = sources_.contacts.AddressToken(receiver->address);
  if (!token.ok()) return token.status();
  if (CanUnsubscribe(message.kind())) {
    auto unsubscribe = unsubscriber_.LinkFor(*token);
    if (!unsubscribe.ok()) return unsubscribe.status();
    receiver->unsubscribe_link = *std::move(unsubscribe);
  }
  const MailTemplate& words = TemplateFor(*step, receiver->language);
  return Mail{.content = MergeMail(sources_.clock(), **details, words, *invitation, *receiver),
              .address_token = *std::move(token),
              .link = receiver->link};
}

absl::Status PlanPolicy::Suppress(const std::string& address_token, v1::SuppressionReason reason, const std::string& message) {
  return sources_.suppressions.Add(address_token, reason, "", message).status();
}

absl::StatusOr<MailReceiver> PlanPolicy::ReceiverForPreview(const v1::Invitation& invitation) {
  if (invitation.handed_over()) {
    const auto holders = sources_.invitations.LinkHolders(invitation.name());
    if (!holders.ok()) return holders.status();
    for (const LinkHolder& holder : *holders) {
      if (holder.id == InvitationStore::kHolder) return ReceiverFrom(holder);
    }
  }
  if (invitation.contact().empty()) return NoContact(invitation.name());
  const auto contact = sources_.contacts.Get(invitation.contact());
  if (!contact.ok()) return contact.status();
  if (contact->email().empty()) return NoContact(invitation.name());
  return ReceiverFrom(*contact);
}

absl::StatusOr<v1::MailContent> PlanPolicy::Preview(const v1::PreviewMailRequest& request) {
  const auto details = sources_.book.Get(request.parent());
  if (!details.ok()) return details.status();
  const survey::v1::MailingStep* step = FindStep((*details)->wave, request.step());
  if (step == nullptr || step->templates().empty()) return StepNotFound(request.step());
  v1::Invitation invitation;
  MailReceiver receiver{.address = "a.voorbeeld@example.nl", .full_name = "A. Voorbeeld", .job_title = "beleidsadviseur", .language = "nl"};
  if (!request.invitation().empty()) {
    auto found = sources_.invitations.Get(absl::StrCat(request.parent(), "/invitations/", request.invitation()));
    if (!found.ok()) return found.status();
    invitation = *std::move(found);
    auto known = ReceiverForPreview(invitation);
    if (!known.ok()) return known.status();
    receiver = *std::move(known);
  } else if (const auto& frame = (*details)->frame->municipalities; !frame.empty()) {
    invitation.add_municipalities(frame.front().code());
  }
  const std::string& language = request.language().empty() ? receiver.language : request.language();
  receiver.link = absl::StrReplaceAll(link_, {{"{token}", kNoToken}});
  if (CanUnsubscribe(step->kind())) receiver.unsubscribe_link = unsubscriber_.LinkWith(kNoToken);
  return MergeMail(sources_.clock(), **details, TemplateFor(*step, language), invitation, receiver);
}

}  // namespace peiling::fieldwork
