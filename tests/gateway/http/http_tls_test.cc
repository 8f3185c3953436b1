// HTTP over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "services/common/tls/server_contexts.h"
#include "tests/common/eventually.h"
#include "tests/common/tls/authority.h"
#include "tests/gateway/http/fixture.h"

namespace peiling::gateway {
namespace {

using ::testing::StartsWith;

// A connection over TLS that believes one authority.
class TlsClient {
 public:
  // `shown`: with what certificate; its authority is the one that is believed.
  TlsClient(int port, const tls::Material& shown, const tls::Files& files) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_load_verify_locations(context_, files.ca.c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    if (!shown.certificate.empty()) {
      SSL_CTX_use_certificate_file(context_, files.certificate.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, files.key.c_str(), SSL_FILETYPE_PEM);
    }
    connection_ = BIO_new_ssl_connect(context_);
    BIO_set_conn_hostname(connection_, absl::StrCat("127.0.0.1:", port).c_str());
    connected_ = BIO_do_connect(connection_) == 1;
  }
  ~TlsClient() {
    BIO_free_all(connection_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }

  // The beginning of the answer; "" when there is none.
  std::string Ask(std::string_view target) {
    const std::string request = absl::StrCat("GET ", std::string(target), " HTTP/1.1\r\nHost: a\r\n\r\n");
    BIO_write(connection_, request.data(), static_cast<int>(request.size()));
    char buffer[8192];
    const int got = BIO_read(connection_, buffer, sizeof(buffer));
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
  }

  std::vector<std::string> names() const {
    SSL* ssl = nullptr;
    BIO_get_ssl(connection_, &ssl);
    return tls::Names(tls::PeerCertificate(*ssl));
  }

 private:
  SSL_CTX* const context_;
  BIO* connection_;
  bool connected_ = false;
};

class HttpTlsTest : public HttpTest {
 protected:
  void SetUp() override {
    HttpTest::SetUp();
    server_.reset();
    auto contexts = tls::ServerContexts::Open(files_, tls::Protocol::kHttp1);
    ASSERT_TRUE(contexts.ok()) << contexts.status();
    auto server = StartHttpServer({.listen = "127.0.0.1:0", .tls = *std::move(contexts)}, {.head_time = std::chrono::milliseconds(500)},
                                  [this](std::shared_ptr<Exchange> exchange) { api_->Handle(exchange); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  const tls::Authority authority_;
  const tls::Folder folder_;
  const tls::Files files_ = folder_.Write("server", authority_.Issue({.dns = {"first"}}));
};

constexpr char kWave[] = "/v1/surveys/s/waves/2022";

TEST_F(HttpTlsTest, AnswersOverTls) {
  TlsClient client(port(), {}, files_);
  ASSERT_TRUE(client.connected());
  EXPECT_THAT(client.Ask(kWave), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(client.Ask(kWave), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(door_.arrivals()[0].credentials.certificate, "");
}

TEST_F(HttpTlsTest, TellsTheDoorOfTheClientsCertificate) {
  const tls::Material mailer = authority_.Issue({.dns = {"mail.example.nl"}});
  TlsClient client(port(), mailer, folder_.Write("mailer", mailer));
  ASSERT_TRUE(client.connected());
  EXPECT_THAT(client.Ask(kWave), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(tls::Names(door_.arrivals()[0].credentials.certificate), testing::Contains("mail.example.nl"));
}

TEST_F(HttpTlsTest, CertificateOfAnotherAuthorityIsRefused) {
  const tls::Authority other("Other");
  const tls::Material forged = other.Issue({.dns = {"mail.example.nl"}});
  tls::Files files = folder_.Write("forged", forged);
  files.ca = files_.ca;
  TlsClient client(port(), forged, files);
  EXPECT_EQ(client.connected() ? client.Ask(kWave) : "", "");
  EXPECT_TRUE(door_.arrivals().empty());
}

TEST_F(HttpTlsTest, CertificateIsReplacedWithoutEndingConnections) {
  TlsClient before(port(), {}, files_);
  EXPECT_THAT(before.names(), testing::Contains("first"));
  EXPECT_THAT(before.Ask(kWave), StartsWith("HTTP/1.1 200 "));
  folder_.Write("server", authority_.Issue({.dns = {"second"}}));
  EXPECT_TRUE(Eventually([&] {
    const auto names = TlsClient(port(), {}, files_).names();
    return std::find(names.begin(), names.end(), "second") != names.end();
  }));
  EXPECT_THAT(before.Ask(kWave), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTlsTest, WhoDoesNotSpeakTlsIsGivenUp) {
  Client plain(port());
  plain.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(plain.Closed());
  Client silent(port());
  EXPECT_TRUE(silent.Closed());
  Client half(port());
  half.Send("\x16\x03\x01\x02");
  EXPECT_TRUE(half.Closed());
}

}  // namespace
}  // namespace peiling::gateway
