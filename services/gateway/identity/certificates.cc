#include "services/gateway/identity/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/tls/tls.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using Time = std::chrono::system_clock::time_point;

constexpr size_t kMostKnown = 1000;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

// A time that cannot be read is long ago.
Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Time();
  return TimeAt(timegm(&parts));
}

// From when until when a certificate is valid.
std::pair<Time, Time> ValidityOf(std::string_view pem) {
  const std::unique_ptr<BIO, Free> reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509, Free> certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return {};
  return {TimeOf(X509_get0_notBefore(certificate.get())), TimeOf(X509_get0_notAfter(certificate.get()))};
}

std::string SubjectOf(const CertificateRules& rules) { return absl::StrCat("certificates/", rules.name); }

Verdict Holds(const CertificateRules& rules, Time end) {
  access::v1::Identity identity;
  identity.set_subject(SubjectOf(rules));
  identity.set_title(rules.title);
  *identity.mutable_grants() = rules.grants;
  identity.set_credential(access::v1::CREDENTIAL_KIND_CERTIFICATE);
  *identity.mutable_expires_at() = google::protobuf::util::TimeUtil::SecondsToTimestamp(std::chrono::system_clock::to_time_t(end));
  return Verdict::Holds(std::move(identity));
}

}  // namespace

Certificates::Certificates(const AccessRules& rules, Clock clock)
    : rules_(rules.certificates), proxies_(rules.proxies), clock_(std::move(clock)), known_(kMostKnown) {}

Verdict Certificates::Check(std::string_view pem) {
  const auto known = Look(pem);
  const Time now = clock_();
  if (now < known->begin || now > known->end) return Verdict::Refused(Result::kInvalid, "certificate: not valid at this time");
  return known->verdict;
}

bool Certificates::StillHolds(const access::v1::Identity& caller) const {
  const auto is_about = [&caller](const CertificateRules& rules) { return SubjectOf(rules) == caller.subject(); };
  return clock_() <= TimeAt(caller.expires_at().seconds()) && std::any_of(rules_.begin(), rules_.end(), is_about);
}

bool Certificates::IsProxy(std::string_view pem) { return !pem.empty() && Look(pem)->proxy; }

std::shared_ptr<const Certificates::Known> Certificates::Look(std::string_view pem) {
  const Digest digest = DigestOf(pem);
  auto known = known_.Find(digest).value_or(nullptr);
  if (known == nullptr) {
    known = std::make_shared<const Known>(Read(pem));
    known_.Put(digest, known);
  }
  return known;
}

Certificates::Known Certificates::Read(std::string_view pem) const {
  Known known;
  std::tie(known.begin, known.end) = ValidityOf(pem);
  known.verdict = Verdict::Refused(Result::kInvalid, "certificate: none of its names is in the access file");
  const std::vector<std::string> names = tls::Names(pem);
  const auto has = [&names](const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  const auto rules = std::find_if(rules_.begin(), rules_.end(), [&has](const CertificateRules& each) { return has(each.name); });
  if (rules != rules_.end()) known.verdict = Holds(*rules, known.end);
  known.proxy = std::any_of(proxies_.begin(), proxies_.end(), has);
  return known;
}

}  // namespace peiling::gateway
