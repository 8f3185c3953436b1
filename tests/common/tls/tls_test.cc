#include "services/common/tls/tls.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/common/tls/authority.h"

namespace peiling::tls {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TlsFiles : public testing::Test {
 protected:
  // The reason, and whether the message names the file.
  static std::string ReasonNaming(const std::string& file, const Files& files) {
    const absl::Status status = Check(files);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(file));
    return status::Reason(status);
  }

  const Authority authority_;
  const Folder folder_;
  const Material material_ = authority_.Issue({.dns = {"peiling-intake"}});
  const Files files_ = folder_.Write("intake", material_);
};

TEST_F(TlsFiles, AreReadWhole) {
  const auto loaded = Load(files_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*loaded, material_);
}

TEST_F(TlsFiles, NeedNotAllBeSet) {
  EXPECT_TRUE(Check({}).ok());
  EXPECT_TRUE(Check({.ca = files_.ca}).ok());
  EXPECT_TRUE(Check({.certificate = files_.certificate, .key = files_.key}).ok());
}

TEST_F(TlsFiles, OneThatIsNotThereIsNamed) {
  Files files = files_;
  files.key = "/no/such/key.pem";
  EXPECT_EQ(ReasonNaming("/no/such/key.pem", files), "TLS_FILE_UNREADABLE");
}

TEST_F(TlsFiles, ADirectoryIsNoFile) {
  Files files = files_;
  files.ca = "/tmp";
  EXPECT_EQ(ReasonNaming("/tmp", files), "TLS_FILE_UNREADABLE");
}

TEST_F(TlsFiles, OneWithoutPemIsNamed) {
  for (std::string Files::*member : {&Files::certificate, &Files::key, &Files::ca}) {
    Files files = files_;
    files.*member = folder_.Write("bad", std::string("no PEM"));
    EXPECT_EQ(ReasonNaming(files.*member, files), "TLS_FILE_MALFORMED");
  }
}

TEST_F(TlsFiles, AHalfWrittenOneIsNamed) {
  Files files = files_;
  const std::string chain = material_.certificate + material_.ca;
  files.certificate = folder_.Write("half", chain.substr(0, chain.size() - 100));
  EXPECT_EQ(ReasonNaming(files.certificate, files), "TLS_FILE_MALFORMED");
  files = files_;
  files.ca = folder_.Write("half", chain.substr(0, chain.size() - 100));
  EXPECT_EQ(ReasonNaming(files.ca, files), "TLS_FILE_MALFORMED");
}

TEST_F(TlsFiles, AKeyOfAnotherCertificateIsNamed) {
  Files files = files_;
  files.key = folder_.Write("other.key", authority_.Issue({}).key);
  EXPECT_EQ(ReasonNaming(files.key, files), "TLS_KEY_MISMATCH");
}

TEST_F(TlsFiles, ACertificateOfAnotherTimeIsNamed) {
  for (const auto& [begin, end] : {std::pair(hours(-2), hours(-1)), std::pair(hours(1), hours(2))}) {
    const Files files = folder_.Write("other-time", authority_.Issue({.begin = begin, .end = end}));
    EXPECT_EQ(ReasonNaming(files.certificate, files), "TLS_CERTIFICATE_EXPIRED");
  }
}

TEST_F(TlsFiles, AKeyWithoutACertificateIsOfNoUse) {
  EXPECT_FALSE(Check({.key = files_.key}).ok());
  EXPECT_FALSE(Check({.certificate = files_.certificate}).ok());
}

TEST(Names, AreThoseOfKindDnsAndUri) {
  const Authority authority;
  EXPECT_THAT(Names(authority.Issue({.dns = {"mail.spotler.nl"}, .uris = {"urn:peiling:mailer"}, .server = false}).certificate),
              ElementsAre("mail.spotler.nl", "urn:peiling:mailer"));
  EXPECT_THAT(Names(authority.Issue({.server = false}).certificate), IsEmpty());
  EXPECT_THAT(Names("no PEM"), IsEmpty());
}

}  // namespace
}  // namespace peiling::tls
