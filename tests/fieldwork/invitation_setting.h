// Invitations in a test: a store in memory, a key, a clock that is set.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/waves/wave_book.h"
#include "tests/common/storage/forwarding_store.h"

namespace peiling::fieldwork {

inline constexpr char kWave[] = "surveys/vn/waves/2026";
inline constexpr char kLink[] = "https://peiling.example.nl/deelnemen#{token}";
// What comes before the token in a link.
inline constexpr std::string_view kBeforeToken = "https://peiling.example.nl/deelnemen#";

inline std::string NameOf(const std::string& id) { return InvitationName(kWave, id); }
inline std::string ResponseOf(const std::string& id) { return absl::StrCat(kWave, "/responses/", id); }
inline std::string ContactOf(const std::string& id) { return absl::StrCat("municipalities/", id, "/contacts/a"); }

inline std::shared_ptr<const Frame> MakeFrame(const std::vector<std::string>& codes) {
  auto frame = std::make_shared<Frame>();
  for (const std::string& code : codes) {
    registry::v1::Municipality& municipality = frame->municipalities.emplace_back();
    municipality.set_code(code);
    municipality.set_title(absl::StrCat("Gemeente ", code));
  }
  return frame;
}

// Counts what is read, and lets something happen before the next commit.
class WatchedStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  absl::StatusOr<std::optional<storage::Document>> Get(const std::string& partition, const std::string& key) override {
    ++reads;
    return ForwardingStore::Get(partition, key);
  }
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    ++commits;
    if (const auto happen = std::exchange(before_commit, nullptr)) happen();
    if (std::exchange(fail_next, false)) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "gone");
    auto result = ForwardingStore::Commit(std::move(batch));
    if (std::exchange(lose_answer, false)) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "gone");
    return result;
  }

  int reads = 0;
  int commits = 0;
  std::function<void()> before_commit;
  bool fail_next = false;
  bool lose_answer = false;
};

class InvitationSetting : public testing::Test {
 protected:
  InvitationStore MakeInvitations(storage::Store& store, const vault::Vault& vault) {
    return InvitationStore(store, vault, kLink, [this] { return now_; });
  }

  // Issues some invitations; those of `contacts` have one.
  absl::StatusOr<v1::IssueInvitationsResponse> Issue(const v1::IssueInvitationsRequest& request, const absl::Status& allowed = {}) {
    return Issue(invitations_, request, allowed);
  }
  absl::StatusOr<v1::IssueInvitationsResponse> Issue(InvitationStore& invitations, const v1::IssueInvitationsRequest& request,
                                                     const absl::Status& allowed = {}) {
    const auto find = [this](const v1::Invitation& invitation) -> absl::StatusOr<std::string> {
      for (const std::string& code : invitation.municipalities()) {
        if (contacts_.contains(code)) return ContactOf(code);
      }
      return "";
    };
    return invitations.Issue(request, *frame_, find, allowed);
  }
  static v1::IssueInvitationsRequest IssueRequest(const std::vector<std::string>& codes, const std::string& request_id,
                                                  const std::vector<std::vector<std::string>>& joint = {}, bool joint_only = false) {
    v1::IssueInvitationsRequest request;
    request.set_parent(kWave);
    request.mutable_municipalities()->Assign(codes.begin(), codes.end());
    for (const auto& together : joint) request.add_joint()->mutable_municipalities()->Assign(together.begin(), together.end());
    request.set_joint_only(joint_only);
    request.set_request_id(request_id);
    return request;
  }
  // An invitation of one municipality, or of some.
  void Invite(const std::string& code) { ASSERT_TRUE(Issue(IssueRequest({code}, "issue " + code)).ok()); }

  absl::StatusOr<v1::ReissueInvitationResponse> Reissue(const std::string& id, const std::string& request_id,
                                                        const std::string& contact = "") {
    v1::ReissueInvitationRequest request;
    request.set_name(NameOf(id));
    request.set_contact(contact);
    request.set_request_id(request_id);
    return invitations_.Reissue(request, absl::OkStatus());
  }
  absl::StatusOr<v1::RevokeInvitationResponse> Revoke(const std::string& id, const std::string& request_id) {
    v1::RevokeInvitationRequest request;
    request.set_name(NameOf(id));
    request.set_reason("dubbel");
    request.set_request_id(request_id);
    return invitations_.Revoke(request);
  }
  static v1::InviteColleagueRequest ColleagueRequest(const std::string& id, const std::string& name, const std::string& request_id,
                                                     const std::vector<int>& sections = {}) {
    v1::InviteColleagueRequest request;
    request.set_response(ResponseOf(id));
    request.set_full_name(name);
    request.set_email(absl::StrCat(name, "@example.nl"));
    request.mutable_sections()->Assign(sections.begin(), sections.end());
    request.set_request_id(request_id);
    return request;
  }
  absl::StatusOr<v1::InviteColleagueResponse> InviteColleague(const std::string& id, const std::string& name,
                                                              const std::string& request_id) {
    return invitations_.InviteColleague(ColleagueRequest(id, name, request_id), {}, absl::OkStatus());
  }
  absl::StatusOr<v1::RemoveColleagueResponse> Remove(const std::string& id, const std::string& colleague, const std::string& request_id) {
    v1::RemoveColleagueRequest request;
    request.set_response(ResponseOf(id));
    request.set_colleague(colleague);
    request.set_request_id(request_id);
    return invitations_.RemoveColleague(request, {});
  }
  static v1::HandOverRequest HandOverRequest(const std::string& id, const std::string& name, const std::string& request_id) {
    v1::HandOverRequest request;
    request.set_response(ResponseOf(id));
    request.set_full_name(name);
    request.set_email(absl::StrCat(name, "@example.nl"));
    request.set_request_id(request_id);
    return request;
  }
  absl::StatusOr<v1::HandOverResponse> HandOver(const std::string& id, const std::string& name, const std::string& request_id) {
    return invitations_.HandOver(HandOverRequest(id, name, request_id), {}, absl::OkStatus());
  }

  static std::string TokenIn(const std::string& link) {
    EXPECT_EQ(link.substr(0, kBeforeToken.size()), kBeforeToken);
    return link.substr(kBeforeToken.size());
  }
  std::string TokenOf(const std::string& id) {
    const auto link = invitations_.LinkOfContact(NameOf(id), Get(id).contact());
    EXPECT_TRUE(link.ok()) << link.status();
    return link.ok() ? TokenIn(*link) : "";
  }
  std::string TokenOf(const std::string& id, const std::string& holder) {
    const auto link = invitations_.LinkOfHolder(NameOf(id), holder);
    EXPECT_TRUE(link.ok()) << link.status();
    return link.ok() ? TokenIn(*link) : "";
  }
  bool Holds(const std::string& token) {
    const auto rights = invitations_.Verify(token);
    EXPECT_TRUE(rights.ok() || status::Reason(rights.status()) == "TOKEN_UNKNOWN") << rights.status();
    return rights.ok();
  }
  v1::Invitation Get(const std::string& id) {
    auto invitation = invitations_.Get(NameOf(id));
    EXPECT_TRUE(invitation.ok()) << invitation.status();
    return invitation.ok() ? *invitation : v1::Invitation();
  }
  // The link of who holds an invitation now.
  LinkId HolderOf(const std::string& id) { return {.invitation = NameOf(id), .issue = Get(id).issue()}; }
  uint64_t Version() { return *invitations_.Version(kWave); }
  // Everything that stands in the store, put together.
  std::string AllBytes() {
    std::string bytes;
    const auto partitions = store_->Partitions("");
    for (const std::string& partition : *partitions) {
      const auto documents = store_->List(partition, "", "", 10'000);
      for (const storage::Document& document : *documents) absl::StrAppend(&bytes, document.key, "\n", document.value, "\n");
      const auto events = store_->ReadFeed(partition, 0, 10'000);
      for (const storage::FeedEvent& event : *events) absl::StrAppend(&bytes, event.value, "\n");
    }
    return bytes;
  }

  absl::Time now_ = absl::FromCivil(absl::CivilMinute(2026, 3, 24, 9, 0), absl::UTCTimeZone());
  std::set<std::string> contacts_ = {"GM0001", "GM0002", "GM0003"};
  std::shared_ptr<const Frame> frame_ = MakeFrame({"GM0001", "GM0002", "GM0003", "GM0004", "GM0005"});
  std::string key_ = vault::Vault::NewKey("a");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(key_);
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  WatchedStore watched_{*store_};
  InvitationStore invitations_ = MakeInvitations(watched_, *vault_);
};

}  // namespace peiling::fieldwork
