// The gRPC handlers of contacts: check the request, call the domain, map the status.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/contacts.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/contacts/contact_erasure.h"
#include "services/fieldwork/contacts/contact_import.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/contacts/contact_uses.h"
#include "services/fieldwork/contacts/municipality_lookup.h"

namespace peiling::fieldwork {

// Which of the addresses that tokens (ContactStore::AddressToken) stand for no mail goes to, in their order. Thread-safe.
using AreSuppressed = std::function<absl::StatusOr<std::vector<bool>>(const std::vector<std::string>& address_tokens)>;

class ContactService final : public v1::ContactService::Service {
 public:
  // All must outlive it.
  ContactService(ContactStore& contacts, const ContactUses& uses, registry::v1::RegistryService::StubInterface& registry,
                 intake::v1::IntakeService::StubInterface& intake, AreSuppressed are_suppressed, ForgetPerson forget_person,
                 calendar::Clock clock)
      : contacts_(contacts),
        municipalities_(registry),
        erasure_(contacts, uses, intake, std::move(forget_person)),
        import_(contacts, municipalities_, clock),
        are_suppressed_(std::move(are_suppressed)),
        clock_(std::move(clock)) {}

  grpc::Status CreateContact(grpc::ServerContext* context, const v1::CreateContactRequest* request,
                             v1::CreateContactResponse* response) override;
  grpc::Status GetContact(grpc::ServerContext* context, const v1::GetContactRequest* request, v1::GetContactResponse* response) override;
  grpc::Status ListContacts(grpc::ServerContext* context, const v1::ListContactsRequest* request,
                            v1::ListContactsResponse* response) override;
  grpc::Status UpdateContact(grpc::ServerContext* context, const v1::UpdateContactRequest* request,
                             v1::UpdateContactResponse* response) override;
  grpc::Status EraseContact(grpc::ServerContext* context, const v1::EraseContactRequest* request,
                            v1::EraseContactResponse* response) override;
  grpc::Status ImportContacts(grpc::ServerContext* context, const v1::ImportContactsRequest* request,
                              v1::ImportContactsResponse* response) override;
  grpc::Status ExportContacts(grpc::ServerContext* context, const v1::ExportContactsRequest* request,
                              grpc::ServerWriter<v1::ExportContactsResponse>* writer) override;

 private:
  std::string Today() const { return calendar::DayOf(clock_()); }
  absl::Status SetSuppressed(const std::vector<v1::Contact*>& contacts);
  grpc::Status Reply(absl::StatusOr<v1::Contact> contact, v1::Contact* answer);

  ContactStore& contacts_;
  const MunicipalityLookup municipalities_;
  ContactErasure erasure_;
  ContactImport import_;
  const AreSuppressed are_suppressed_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork
