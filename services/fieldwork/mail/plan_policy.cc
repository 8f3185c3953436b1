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

constexpr std::chrono::seconds kCallDeadline(5);
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
          .language = contact.language().empty() ? "nl" : contact.language()};
}

// Colleagues do not say what they speak.
MailReceiver ReceiverFrom(const LinkHolder& holder) { return {.address = holder.email, .full_name = holder.full_name, .language = "nl"}; }

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

absl::StatusOr<MailReceiver> PlanPolicy::ReceiverOfMessage(const v1::Message& message, std::string& link) {
  if (!message.contact().empty()) {
    const auto contact = sources_.contacts.Get(message.contact());
    if (!contact.ok()) return contact.status();
    if (contact->email().empty()) return NoContact(message.invitation());
    auto made = sources_.invitations.LinkOfContact(message.invitation(), message.contact());
    // Thanks also go to who was written to and has no link (any more).
    const bool without = message.kind() == survey::v1::MAIL_KIND_THANKS && status::Reason(made.status()) == "INVITATION_REVOKED";
    if (!made.ok() && !without) return made.status();
    link = made.ok() ? *std::move(made) : "";
    return ReceiverFrom(*contact);
  }
  const auto holders = sources_.invitations.LinkHolders(message.invitation());
  if (!holders.ok()) return holders.status();
  const std::string mail_id = ReceiverOf(message);
  const auto holder = std::find_if(holders->begin(), holders->end(), [&](const LinkHolder& each) { return each.mail_id == mail_id; });
  if (holder == holders->end()) return NoContact(message.invitation());
  auto made = sources_.invitations.LinkOfHolder(message.invitation(), holder->id);
  if (!made.ok()) return made.status();
  link = *std::move(made);
  return ReceiverFrom(*holder);
}

absl::StatusOr<Mail> PlanPolicy::Compose(const std::string& wave, const v1::Message& message) {
  const auto details = sources_.book.Get(wave);
  if (!details.ok()) return details.status();
  const survey::v1::MailingStep* step = FindStep((*details)->wave, message.step());
  if (step == nullptr || step->templates().empty()) return StepNotFound(message.step());
  const auto invitation = sources_.invitations.Get(message.invitation());
  if (!invitation.ok()) return invitation.status();
  std::string link;
  const auto receiver = ReceiverOfMessage(message, link);
  if (!receiver.ok()) return receiver.status();
  auto token = sources_.contacts.AddressToken(receiver->address);
  if (!token.ok()) return token.status();

  Mail mail{.content = MergeMail(**details, TemplateFor(*step, receiver->language), *invitation, *receiver, link),
            .address_token = *std::move(token)};
  if (!CanUnsubscribe(message.kind())) return mail;
  auto unsubscribe = unsubscriber_.LinkFor(mail.address_token);
  if (!unsubscribe.ok()) return unsubscribe.status();
  mail.content.set_unsubscribe_url(*std::move(unsubscribe));
  return mail;
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
  const std::string link = absl::StrReplaceAll(link_, {{"{token}", "voorbeeld"}});
  return MergeMail(**details, TemplateFor(*step, language), invitation, receiver, link);
}

}  // namespace peiling::fieldwork
