#include "services/gateway/doorkeeper.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/identity/identity.h"
#include "services/common/names/resource_names.h"
#include "services/common/server/call_metrics.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"
#include "services/gateway/http/percent.h"
#include "services/gateway/identity/network.h"

namespace peiling::gateway {
namespace {

using access::v1::Identity;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr char kAnybody[] = "anonymous";
constexpr size_t kLongestRequestId = 100;
constexpr size_t kLongestAddress = 45;
// A name's id that is longer may be a secret put in the wrong place.
constexpr size_t kLongestIdInLog = 64;
constexpr size_t kLongestObject = 300;
// Of those who show no credential. A mailing system's one-click request for a reader takes milliseconds, so these are many.
constexpr CallLimits kStrangers = {
    .max_calls = 32, .max_calls_per_backend = 32, .max_calls_per_caller = 4, .calls_per_second = 10, .burst = 10};
// How long what was found of an invitation is good for forwarding a call. It may have been known for a second by then (InvitationChecker),
// and a link that was replaced is to act for no more than two.
constexpr std::chrono::seconds kFresh(1);

// "127.0.0.1" of "ipv4:127.0.0.1:51234", "::1" of "ipv6:%5B::1%5D:51234".
std::string AddressOf(std::string_view peer) {
  peer.remove_prefix(std::min(peer.size(), peer.find(':') + 1));
  peer = peer.substr(0, peer.rfind(':'));
  for (const std::string_view bracket : {"[", "%5B"}) {
    if (peer.starts_with(bracket)) peer.remove_prefix(bracket.size());
  }
  for (const std::string_view bracket : {"]", "%5D"}) {
    if (peer.ends_with(bracket)) peer.remove_suffix(bracket.size());
  }
  return std::string(peer);
}

// The last address of the header, which the proxy itself has seen; "" when it is none.
std::string LastAddress(std::string_view forwarded_for) {
  std::string_view last = forwarded_for.substr(forwarded_for.rfind(',') + 1);
  while (last.starts_with(' ')) last.remove_prefix(1);
  const auto in_address = [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == '.' || c == ':'; };
  return last.size() <= kLongestAddress && std::all_of(last.begin(), last.end(), in_address) ? std::string(last) : "";
}

// In PEM. Of two, one may be what the client wrote itself: they stay as they are, and so does what is not encoded, which is no certificate.
std::string ForwardedCertificate(const std::string& encoded) {
  std::string certificate;
  const bool is_one = encoded.find(',') == std::string::npos && PercentDecode(encoded, /*form=*/false, certificate);
  return is_one ? certificate : encoded;
}

std::string TraceIdOf(const Arrival& arrival) {
  if (const auto* const span = tracing::Current()) return tracing::Hex(span->trace_id);
  if (arrival.traceparent.empty()) return "";
  const auto sent = tracing::ParseTraceContext(arrival.traceparent, "");
  return sent ? tracing::Hex(sent->trace_id) : "";
}

// A name that may stand in the audit log: "surveys/s/waves/2022", "keys/…"; else "".
std::string NameForLog(const std::string& text) {
  if (text.size() > kLongestObject) return "";
  std::string_view rest = text;
  for (bool more = true; more;) {
    const size_t slash = rest.find('/');
    const std::string_view id = rest.substr(0, slash);
    if (id.size() > kLongestIdInLog || !names::IsId(id)) return "";
    more = slash != std::string_view::npos;
    if (more) rest.remove_prefix(slash + 1);
  }
  return text;
}

std::string RoleNames(const std::vector<access::v1::Role>& roles) {
  std::string names;
  for (const auto role : roles) absl::StrAppend(&names, names.empty() ? "" : ",", identity::RoleName(role));
  return names;
}

// Who calls what takes no credential without showing one.
Identity Anybody() {
  Identity identity;
  identity.set_subject(kAnybody);
  identity.set_credential(access::v1::CREDENTIAL_KIND_NONE);
  return identity;
}

absl::Status ShuttingDown() {
  return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the gateway is shutting down; try again later");
}

absl::Status Withdrawn() {
  return status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_WITHDRAWN", "the credentials no longer hold");
}

// Whether both are the same person with the same rights.
bool MayTheSame(const Identity& a, const Identity& b) {
  const auto same = [](const access::v1::Grant& one, const access::v1::Grant& other) {
    return one.SerializeAsString() == other.SerializeAsString();
  };
  return a.subject() == b.subject() && std::equal(a.grants().begin(), a.grants().end(), b.grants().begin(), b.grants().end(), same);
}

bool IsAboutCaller(grpc::StatusCode code) { return code == grpc::UNAUTHENTICATED || code == grpc::PERMISSION_DENIED; }

}  // namespace

std::string RequestIdFor(std::string_view sent) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.'; };
  if (!sent.empty() && sent.size() <= kLongestRequestId && std::all_of(sent.begin(), sent.end(), allowed)) return std::string(sent);
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad16), absl::Hex(random(), absl::kZeroPad16));
}

// What is kept of a call from its arrival to its end.
class Doorkeeper::Call {
 public:
  Call(const Arrival& arrival, const Permission* permission, const std::string& origin, DoorMetrics& metrics)
      : permission_(permission), metrics_(metrics) {
    metrics_.Begin();
    record_.protocol = arrival.protocol;
    record_.method = arrival.method;
    record_.origin = origin;
    record_.request_id = RequestIdFor(arrival.request_id);
    record_.trace_id = TraceIdOf(arrival);
  }

  const Permission& permission() const { return *permission_; }
  const Identity& caller() const { return caller_; }
  const std::string& request_id() const { return record_.request_id; }
  // Shows no credential where none is needed.
  bool is_strangers() const { return caller_.subject() == kAnybody && caller_.credential() == access::v1::CREDENTIAL_KIND_NONE; }
  bool is_by_invitation() const { return caller_.credential() == access::v1::CREDENTIAL_KIND_INVITATION; }
  // By what the limits know the caller: who it is, or where, or for development nothing.
  Limits::Call Limited() const {
    const bool known = caller_.credential() != access::v1::CREDENTIAL_KIND_NONE;
    return {.subject = known            ? caller_.subject()
                       : is_strangers() ? NetworkOf(record_.origin)
                                        : "",
            .backend = *permission_->backend,
            .stream = permission_->streams(),
            .invitation = is_by_invitation()};
  }
  void SetCaller(Identity caller) { caller_ = std::move(caller); }
  void SetCredentials(Credentials credentials) { credentials_ = std::move(credentials); }
  // What was shown, as long as it may have to be looked at again.
  const Credentials& credentials() const { return credentials_; }
  void SetRoles(std::vector<access::v1::Role> roles) { roles_ = std::move(roles); }
  void SetObject(const std::string& name) {
    if (std::string object = NameForLog(name); !object.empty()) object_ = std::move(object);
  }
  void CountRequest(size_t bytes) { record_.request_bytes += bytes; }
  void CountResponse(size_t bytes) { record_.response_bytes += bytes; }

  // Measures it and writes it to the access log. Once.
  void End(const grpc::Status& status, AccessLog& access_log) {
    const std::chrono::duration<double> taken = steady_clock::now() - begin_;
    metrics_.End(status.error_code(), roles_.empty() ? access::v1::ROLE_UNSPECIFIED : roles_.front(), taken.count());
    record_.time = system_clock::now();
    record_.code = server::CodeName(status.error_code());
    if (!status.ok()) record_.reason = status::Reason(status::FromGrpc(status));
    record_.seconds = taken.count();
    if (!access_log.on()) return;
    AccessRecord record = record_;
    record.subject = caller_.subject();
    record.roles = RoleNames(roles_);
    access_log.Write(std::move(record));
  }

  // Of the ended call.
  access::v1::AuditEntry Entry() const {
    access::v1::AuditEntry entry;
    *entry.mutable_time() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
        std::chrono::duration_cast<std::chrono::nanoseconds>(record_.time.time_since_epoch()).count());
    entry.set_subject(caller_.subject());
    entry.set_credential(caller_.credential());
    entry.set_action(permission_->action());
    entry.set_object(object_);
    entry.set_result(record_.code);
    entry.set_reason(record_.reason);
    entry.set_origin(record_.origin);
    entry.set_request_id(record_.request_id);
    return entry;
  }

 private:
  const steady_clock::time_point begin_ = steady_clock::now();
  // Null: unknown; then it is refused, and nothing asks for it.
  const Permission* const permission_;
  DoorMetrics& metrics_;
  AccessRecord record_;
  Identity caller_;
  Credentials credentials_;
  std::vector<access::v1::Role> roles_;
  std::string object_;
};

class Doorkeeper::AdmittedVisit final : public Visit {
 public:
  AdmittedVisit(Doorkeeper& door, Call call, bool everywhere, std::optional<Places> places)
      : door_(door), call_(std::move(call)), everywhere_(everywhere), places_(std::move(places)) {
    if (call_.is_by_invitation()) fresh_until_ = door_.parts_.clock() + kFresh;
  }
  ~AdmittedVisit() override {
    if (!ended_) End(grpc::Status::CANCELLED, [] {});
  }

  const Identity& caller() const override { return call_.caller(); }
  const Backend& backend() const override { return *permission().backend; }
  const std::string& request_id() const override { return call_.request_id(); }

  absl::Status Check(const grpc::ByteBuffer& request) override {
    call_.CountRequest(request.Length());
    const bool first = std::exchange(first_, false);
    if (!places_) {
      auto places = door_.TakePlaces(call_);
      if (!places.ok()) return places.status();
      places_.emplace(*std::move(places));
    }
    if (permission().resource.empty() || (everywhere_ && !permission().audited)) return absl::OkStatus();
    const std::optional<std::string> resource = permission().resource.Read(request);
    if (!resource) {
      status::BadRequest bad;
      bad.Add("", "the message does not parse");
      return bad.ToStatus();
    }
    call_.SetObject(*resource);
    // Only a stream's first message must say what it is about.
    if (everywhere_ || (resource->empty() && !first)) return absl::OkStatus();
    absl::Status within = CheckWithin(permission(), caller(), *resource);
    refused_ = !within.ok();
    return within;
  }

  void Note(const grpc::ByteBuffer& response) override {
    call_.CountResponse(response.Length());
    if (!permission().audited || permission().result.empty()) return;
    if (const std::optional<std::string> name = permission().result.Read(response)) call_.SetObject(*name);
  }

  void AddTo(grpc::ClientContext& context) const override {
    context.AddMetadata(identity::kIdentityKey, caller().SerializeAsString());
    context.AddMetadata(identity::kRequestIdKey, request_id());
  }

  bool stale() const override { return call_.is_by_invitation() && door_.parts_.clock() >= fresh_until_; }
  void Renew(std::function<void(absl::Status)> done) override {
    door_.parts_.authenticator.Authenticate(call_.credentials(), [this, done = std::move(done)](absl::StatusOr<Identity> caller) {
      absl::Status renewed = caller.status();
      if (renewed.ok() && !MayTheSame(*caller, call_.caller())) renewed = Withdrawn();
      if (renewed.ok()) call_.SetCaller(*std::move(caller));
      refused_ = absl::IsUnauthenticated(renewed);
      done(std::move(renewed));
    });
  }

  absl::Status Forward(const std::function<void()>& begin) override {
    const std::shared_lock lock(door_.gate_);
    if (door_.closed_) return ShuttingDown();
    refused_ = !door_.parts_.authenticator.StillHolds(caller());
    if (refused_) return Withdrawn();
    begin();
    return absl::OkStatus();
  }

  void OnWithdrawn(std::function<void(const absl::Status&)> withdrawn) override {
    door_.streams_.Add(this, caller(), [withdrawn = std::move(withdrawn)] { withdrawn(Withdrawn()); });
  }

  void End(const grpc::Status& status, std::function<void()> done) override {
    ended_ = true;
    if (permission().streams()) door_.streams_.Remove(this);
    call_.End(status, door_.parts_.access_log);
    if (refused_) {
      door_.parts_.audit.RecordRefusal(call_.Entry());
    } else if (permission().audited && places_) {
      // Of a call that failed nothing is promised, so its caller need not wait for a log that cannot be written.
      const auto wait = status.ok() ? AuditTrail::Wait::kUntilRecorded : AuditTrail::Wait::kUntilTried;
      return door_.parts_.audit.Record(call_.Entry(), std::move(places_->audit), wait, std::move(done));
    }
    done();
  }

 private:
  const Permission& permission() const { return call_.permission(); }

  Doorkeeper& door_;
  Call call_;
  const bool everywhere_;
  // None of a stranger's before its message is there.
  std::optional<Places> places_;
  // Of an invitation.
  steady_clock::time_point fresh_until_;
  bool first_ = true;
  // Because of what a message was about, or before it began.
  bool refused_ = false;
  bool ended_ = false;
};

Doorkeeper::Doorkeeper(DoorParts parts) : parts_(std::move(parts)), strangers_(kStrangers), streams_(parts_.authenticator) {}

void Doorkeeper::Admit(Arrival arrival, Done done) {
  const bool by_proxy = (!arrival.forwarded_for.empty() || !arrival.forwarded_certificate.empty()) &&
                        !arrival.credentials.certificate.empty() && parts_.is_proxy(arrival.credentials.certificate);
  std::string origin = by_proxy ? LastAddress(arrival.forwarded_for) : "";
  if (origin.empty()) origin = AddressOf(arrival.peer);
  const Permission* const permission = parts_.permissions.Find(arrival.method);
  auto& metrics = metrics_.Of(arrival.protocol, permission == nullptr ? nullptr : permission->method);
  auto call = std::make_shared<Call>(arrival, permission, origin, metrics);

  absl::Status refused;
  if (permission == nullptr) {
    refused = status::Error(absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD", "nothing here answers to that");
  } else if (closed()) {
    refused = ShuttingDown();
  }
  if (!refused.ok()) {
    call->End(status::ToGrpc(refused), parts_.access_log);
    return done(std::move(refused));
  }
  if (by_proxy) {
    // The certificate of the connection is the proxy's own.
    arrival.credentials.certificate = ForwardedCertificate(arrival.forwarded_certificate);
  }
  if (permission->anonymous && ShowsNothing(arrival.credentials)) return done(Enter(*call, Anybody()));
  arrival.credentials.origin = std::move(origin);
  call->SetCredentials(std::move(arrival.credentials));
  parts_.authenticator.Authenticate(call->credentials(), [this, call, done = std::move(done)](absl::StatusOr<Identity> caller) {
    done(Enter(*call, std::move(caller)));
  });
}

// A proxy's own certificate says nothing about who calls through it.
bool Doorkeeper::ShowsNothing(const Credentials& credentials) const {
  return credentials.authorization.empty() && (credentials.certificate.empty() || parts_.is_proxy(credentials.certificate));
}

void Doorkeeper::Close() {
  const std::unique_lock lock(gate_);
  closed_ = true;
}

absl::StatusOr<std::unique_ptr<Visit>> Doorkeeper::Enter(Call& call, absl::StatusOr<Identity> caller) {
  const auto refuse = [&](const absl::Status& refused) {
    const grpc::Status status = status::ToGrpc(refused);
    call.End(status, parts_.access_log);
    if (IsAboutCaller(status.error_code())) parts_.audit.RecordRefusal(call.Entry());
    return refused;
  };
  if (!caller.ok()) return refuse(caller.status());
  call.SetCaller(*std::move(caller));
  if (!call.is_by_invitation()) call.SetCredentials({});
  const Permission& permission = call.permission();
  auto entitlement = Entitle(permission, call.caller());
  if (!entitlement.ok()) return refuse(entitlement.status());
  call.SetRoles(std::move(entitlement->roles));
  std::optional<Places> places;
  // Who need not say who they are take none by not saying what they want either.
  if (!call.is_strangers()) {
    auto taken = TakePlaces(call);
    if (!taken.ok()) return refuse(taken.status());
    places.emplace(*std::move(taken));
  }
  return std::make_unique<AdmittedVisit>(*this, std::move(call), entitlement->everywhere, std::move(places));
}

absl::StatusOr<Doorkeeper::Places> Doorkeeper::TakePlaces(const Call& call) {
  auto place = (call.is_strangers() ? strangers_ : parts_.limits).Take(call.Limited(), parts_.clock());
  if (!place.ok()) return place.status();
  Places places{*std::move(place), nullptr};
  if (!call.permission().audited) return places;
  auto reserved = parts_.audit.Reserve();
  if (!reserved.ok()) return reserved.status();
  places.audit = *std::move(reserved);
  return places;
}

bool Doorkeeper::closed() const {
  const std::shared_lock lock(gate_);
  return closed_;
}

}  // namespace peiling::gateway
