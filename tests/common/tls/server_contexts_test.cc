#include "services/common/tls/server_contexts.h"

#include <optional>
#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/eventually.h"
#include "tests/common/tls/authority.h"

namespace peiling::tls {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string Text(const unsigned char* bytes, unsigned int size) { return {reinterpret_cast<const char*>(bytes), size}; }

// A client that believes `ca`, and its connection in memory to a server.
class Handshake {
 public:
  Handshake(const std::shared_ptr<SSL_CTX>& server, const std::string& ca) : context_(SSL_CTX_new(TLS_client_method())), held_(server) {
    BIO* pem = BIO_new_mem_buf(ca.data(), static_cast<int>(ca.size()));
    X509* authority = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority);
    X509_free(authority);
    BIO_free(pem);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }

  SSL_CTX* client_context() { return context_.get(); }

  void Show(const Material& material) {
    for (const auto& [text, use] : {std::pair(material.certificate, true), std::pair(material.key, false)}) {
      BIO* pem = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
      if (use) {
        X509* certificate = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
        SSL_CTX_use_certificate(context_.get(), certificate);
        X509_free(certificate);
      } else {
        EVP_PKEY* key = PEM_read_bio_PrivateKey(pem, nullptr, nullptr, nullptr);
        SSL_CTX_use_PrivateKey(context_.get(), key);
        EVP_PKEY_free(key);
      }
      BIO_free(pem);
    }
  }

  // Whether both sides agree.
  bool Run() {
    client_.reset(SSL_new(context_.get()));
    server_.reset(SSL_new(held_.get()));
    BIO *client_end = nullptr, *server_end = nullptr;
    BIO_new_bio_pair(&client_end, 64 << 10, &server_end, 64 << 10);
    SSL_set_bio(client_.get(), client_end, client_end);
    SSL_set_bio(server_.get(), server_end, server_end);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
    for (int round = 0; round < 10; ++round) {
      const bool client_failed = Failed(*client_), server_failed = Failed(*server_);
      if (client_failed || server_failed) return false;
    }
    return SSL_is_init_finished(client_.get()) == 1 && SSL_is_init_finished(server_.get()) == 1;
  }

  const SSL& client() const { return *client_; }
  const SSL& server() const { return *server_; }

 private:
  static bool Failed(SSL& ssl) {
    const int result = SSL_do_handshake(&ssl);
    return result != 1 && SSL_get_error(&ssl, result) != SSL_ERROR_WANT_READ;
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  const std::shared_ptr<SSL_CTX> held_;
  std::unique_ptr<SSL, Free> client_, server_;
};

class ServerContextsTest : public testing::Test {
 protected:
  // With an authority only when clients are to be asked.
  void Open(bool asks = true, Protocol protocol = Protocol::kHttp1) {
    Material material = first_;
    if (!asks) material.ca.clear();
    auto contexts = ServerContexts::Open(folder_.Write("tls", material), protocol);
    ASSERT_TRUE(contexts.ok()) << contexts.status();
    contexts_ = *std::move(contexts);
  }
  Handshake Connection() { return {contexts_->Current(), authority_.pem()}; }

  const Authority authority_;
  const Folder folder_;
  const Material first_ = authority_.Issue({.dns = {"first"}});
  std::unique_ptr<ServerContexts> contexts_;
};

TEST_F(ServerContextsTest, AClientNeedNoCertificate) {
  Open();
  auto connection = Connection();
  ASSERT_TRUE(connection.Run());
  EXPECT_EQ(PeerCertificate(connection.server()), "");
}

TEST_F(ServerContextsTest, AClientsCertificateIsKnown) {
  Open();
  auto connection = Connection();
  connection.Show(authority_.Issue({.dns = {"client"}, .server = false}));
  ASSERT_TRUE(connection.Run());
  EXPECT_THAT(Names(PeerCertificate(connection.server())), ElementsAre("client"));
}

TEST_F(ServerContextsTest, NobodyIsAskedWithoutAnAuthority) {
  Open(false);
  auto connection = Connection();
  connection.Show(authority_.Issue({.dns = {"client"}}));
  ASSERT_TRUE(connection.Run());
  EXPECT_THAT(PeerCertificate(connection.server()), IsEmpty());
}

TEST_F(ServerContextsTest, ACertificateThatDoesNotHoldEndsTheConnection) {
  Open();
  const Authority other;
  for (const Material& shown :
       {other.Issue({.dns = {"client"}}), authority_.Issue({.begin = std::chrono::hours(-2), .end = std::chrono::hours(-1)}),
        authority_.Issue({.client = false})}) {
    auto connection = Connection();
    connection.Show(shown);
    EXPECT_FALSE(connection.Run());
  }
}

TEST_F(ServerContextsTest, OldVersionsAreNotSpoken) {
  Open();
  auto old = Connection();
  SSL_CTX_set_security_level(old.client_context(), 0);
  SSL_CTX_set_min_proto_version(old.client_context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.client_context(), TLS1_1_VERSION);
  EXPECT_FALSE(old.Run());
  auto current = Connection();
  SSL_CTX_set_max_proto_version(current.client_context(), TLS1_2_VERSION);
  EXPECT_TRUE(current.Run());
}

TEST_F(ServerContextsTest, WhatIsSpokenIsChosenAmongWhatAClientOffers) {
  // nullopt: it is turned away.
  const std::tuple<Protocol, std::string, std::optional<std::string>> cases[] = {{Protocol::kHttp1, "\x02h2\x08http/1.1", "http/1.1"},
                                                                                 {Protocol::kHttp1, "", ""},
                                                                                 {Protocol::kHttp1, "\x02h2", std::nullopt},
                                                                                 {Protocol::kHttp2, "\x02h2", "h2"},
                                                                                 // Some clients have a name of their own for it, too.
                                                                                 {Protocol::kHttp2, "\x08grpc-exp\x02h2", "h2"},
                                                                                 {Protocol::kHttp2, "\x08http/1.1\x02h2", "h2"},
                                                                                 {Protocol::kHttp2, "", ""},
                                                                                 {Protocol::kHttp2, "\x08http/1.1", std::nullopt},
                                                                                 {Protocol::kHttp2, "\x03h2c", std::nullopt}};
  for (const auto& [protocol, offered, chosen] : cases) {
    Open(true, protocol);
    auto connection = Connection();
    if (!offered.empty()) {
      SSL_CTX_set_alpn_protos(connection.client_context(), reinterpret_cast<const unsigned char*>(offered.data()), offered.size());
    }
    ASSERT_EQ(connection.Run(), chosen.has_value()) << offered;
    if (!chosen) continue;
    const unsigned char* bytes = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(&connection.client(), &bytes, &size);
    EXPECT_EQ(Text(bytes, size), *chosen);
  }
}

TEST_F(ServerContextsTest, NewConnectionsGetTheNewCertificateAndOthersKeepTheirs) {
  Open();
  auto before = Connection();
  ASSERT_TRUE(before.Run());
  folder_.Write("tls", authority_.Issue({.dns = {"second"}}));
  EXPECT_TRUE(Eventually([&] {
    auto after = Connection();
    EXPECT_TRUE(after.Run());
    return Names(PeerCertificate(after.client())) == std::vector<std::string>{"second", "localhost"};
  }));
  EXPECT_THAT(Names(PeerCertificate(before.client())), ElementsAre("first", "localhost"));
}

}  // namespace
}  // namespace peiling::tls
