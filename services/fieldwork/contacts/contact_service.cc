#include "services/fieldwork/contacts/contact_service.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "services/common/deadline/deadline.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/contact_csv.h"
#include "services/fieldwork/contacts/validate.h"

namespace peiling::fieldwork {
namespace {

using grpc::ServerContext;

// How long another service may take for one call.
constexpr std::chrono::seconds kPatience{10};
// Of an export, at a time.
constexpr size_t kPieceBytes = 256 << 10;

MakeContext ContextsOf(ServerContext& context) {
  return [&context] {
    auto client = grpc::ClientContext::FromServerContext(context);
    deadline::Set(*client, std::min(context.deadline(), std::chrono::system_clock::now() + kPatience));
    return client;
  };
}

template <typename Response>
grpc::Status ReplyWith(absl::StatusOr<Response> answer, Response* response) {
  if (!answer.ok()) return status::ToGrpc(answer.status());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

}  // namespace

absl::Status ContactService::SetSuppressed(const std::vector<v1::Contact*>& contacts) {
  std::vector<std::string> tokens;
  tokens.reserve(contacts.size());
  for (const v1::Contact* const contact : contacts) {
    const auto token = contacts_.AddressToken(contact->email());
    if (!token.ok()) return token.status();
    tokens.push_back(*token);
  }
  const auto suppressed = are_suppressed_(tokens);
  if (!suppressed.ok()) return suppressed.status();
  for (size_t i = 0; i < contacts.size(); ++i) {
    if (!contacts[i]->has_erased_at()) contacts[i]->set_suppressed((*suppressed)[i]);
  }
  return absl::OkStatus();
}

grpc::Status ContactService::Reply(absl::StatusOr<v1::Contact> contact, v1::Contact* answer) {
  if (contact.ok()) {
    if (absl::Status asked = SetSuppressed({&*contact}); !asked.ok()) return status::ToGrpc(asked);
  }
  return ReplyWith(std::move(contact), answer);
}

grpc::Status ContactService::CreateContact(ServerContext* context, const v1::CreateContactRequest* request,
                                           v1::CreateContactResponse* response) {
  if (absl::Status valid = Validate(*request, Today()); !valid.ok()) return status::ToGrpc(valid);
  if (absl::Status known = municipalities_.Check(request->parent(), ContextsOf(*context)); !known.ok()) return status::ToGrpc(known);
  return Reply(contacts_.Create(*request), response->mutable_contact());
}

grpc::Status ContactService::GetContact(ServerContext*, const v1::GetContactRequest* request, v1::GetContactResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(contacts_.Get(request->name()), response->mutable_contact());
}

grpc::Status ContactService::ListContacts(ServerContext*, const v1::ListContactsRequest* request, v1::ListContactsResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  auto listed = contacts_.List(*request, page);
  if (!listed.ok()) return status::ToGrpc(listed.status());
  auto& contacts = *listed->mutable_contacts();
  if (absl::Status asked = SetSuppressed({contacts.pointer_begin(), contacts.pointer_end()}); !asked.ok()) return status::ToGrpc(asked);
  return ReplyWith(std::move(listed), response);
}

grpc::Status ContactService::UpdateContact(ServerContext*, const v1::UpdateContactRequest* request, v1::UpdateContactResponse* response) {
  if (absl::Status valid = Validate(*request, Today()); !valid.ok()) return status::ToGrpc(valid);
  return Reply(contacts_.Update(*request), response->mutable_contact());
}

grpc::Status ContactService::EraseContact(ServerContext* context, const v1::EraseContactRequest* request,
                                          v1::EraseContactResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWith(erasure_.Erase(*request, identity::CallerOf(*context).subject(), ContextsOf(*context)), response);
}

grpc::Status ContactService::ImportContacts(ServerContext* context, const v1::ImportContactsRequest* request,
                                            v1::ImportContactsResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return ReplyWith(import_.Run(*request, ContextsOf(*context)), response);
}

grpc::Status ContactService::ExportContacts(ServerContext*, const v1::ExportContactsRequest* request,
                                            grpc::ServerWriter<v1::ExportContactsResponse>* writer) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  std::set<std::string> wanted;
  for (const std::string& municipality : request->municipalities()) wanted.insert(names::LastId(municipality));
  v1::ExportContactsResponse piece;
  piece.set_content(CsvHeader());
  const auto send = [&] {
    const bool sent = writer->Write(piece);
    piece.clear_content();
    return sent ? absl::OkStatus() : absl::CancelledError("the caller is gone");
  };
  const absl::Status walked = contacts_.ForEach("", [&](const MunicipalityContacts& municipality) {
    if (!wanted.empty() && !wanted.contains(municipality.code())) return absl::OkStatus();
    for (const v1::Contact& contact : municipality.InOrder()) {
      if (!contact.has_erased_at()) piece.mutable_content()->append(CsvLine(contact));
    }
    return piece.content().size() < kPieceBytes ? absl::OkStatus() : send();
  });
  if (!walked.ok()) return status::ToGrpc(walked);
  return piece.content().empty() ? grpc::Status::OK : status::ToGrpc(send());
}

}  // namespace peiling::fieldwork
