// What it takes to know who calls: known keys and tokens through the whole Authenticator, a token's first time, a key's; beside the digest
// and the signature that each cannot do without.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/gateway/identity/digest.h"
#include "services/gateway/identity/gateway_authenticator.h"
#include "services/gateway/identity/signed_token.h"
#include "services/gateway/identity/token_claims.h"
#include "tests/gateway/identity/fake_access.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

std::string Claims() {
  return absl::StrCat(
      R"({"iss":"https://a.nl","aud":["peiling","account"],"sub":"f3b1c2a4-0000-4000-8000-000000000000","jti":"x","iat":1600000000,)",
      R"("realm_access":{"roles":["x","offline_access","uma_authorization"]},"azp":"dashboard","scope":"openid profile","exp":)",
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 3600, "}");
}

// An authenticator with one key and one issuer, for the whole run.
class Bench {
 public:
  static Bench& Get() {
    static auto* bench = new Bench();
    return *bench;
  }

  const std::string& secret() const { return secret_; }
  std::string token(const SigningKey& key) const { return Token(key, Claims()); }
  const SigningKey& rsa() const { return rsa_; }
  const SigningKey& ec() const { return ec_; }

  // Whether they are let in at once.
  bool LetIn(const Credentials& credentials) {
    const auto let_in = std::make_shared<std::atomic<bool>>(false);
    authenticator_->Authenticate(credentials, [let_in](const auto& identity) { *let_in = identity.ok(); });
    return *let_in;
  }
  // The first time takes longer.
  void Introduce(const Credentials& credentials) {
    while (!LetIn(credentials)) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }

 private:
  Bench() : secret_(access_.AddKey("0123456789abcdef")) {
    std::string folder = (std::filesystem::temp_directory_path() / "peiling-bench-XXXXXX").string();
    mkdtemp(folder.data());
    std::ofstream(folder + "/jwks.json") << KeySet({rsa_, ec_});
    std::ofstream(folder + "/access.yaml")
        << "issuers: [{issuer: 'https://a.nl', audience: peiling, roles-claim: realm_access.roles, jwks: 'file:" << folder
        << "/jwks.json', grants: {x: {role: mailer}}}]\n";
    IdentityOptions options;
    options.access_file = folder + "/access.yaml";
    authenticator_ = *MakeAuthenticator(options, access_.Connect(), access_.Connect());
    authenticator_->Start();
    Introduce({"Bearer " + token(ec_), ""});
    std::filesystem::remove_all(folder);
  }

  const SigningKey rsa_ = SigningKey::Rsa("r");
  const SigningKey ec_ = SigningKey::Ec("e");
  FakeAccess access_;
  const std::string secret_;
  std::unique_ptr<GatewayAuthenticator> authenticator_;
};

void Digests(benchmark::State& state) {
  const std::string text(state.range(0), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(DigestOf(text));
}
BENCHMARK(Digests)->ArgName("bytes")->Arg(75)->Arg(800);

void KnownKey(benchmark::State& state) {
  const Credentials credentials{"Bearer " + Bench::Get().secret(), ""};
  Bench::Get().Introduce(credentials);
  for (auto _ : state) {
    if (!Bench::Get().LetIn(credentials)) state.SkipWithError("not let in");
  }
}
BENCHMARK(KnownKey)->Threads(1)->Threads(2)->UseRealTime();

void KnownToken(benchmark::State& state) {
  const Credentials credentials{"Bearer " + Bench::Get().token(Bench::Get().ec()), ""};
  Bench::Get().Introduce(credentials);
  for (auto _ : state) {
    if (!Bench::Get().LetIn(credentials)) state.SkipWithError("not let in");
  }
}
BENCHMARK(KnownToken)->Threads(1)->Threads(2)->UseRealTime();

// 0: RS256 with 2048 bits; 1: ES256.
const SigningKey& KeyOf(const benchmark::State& state) { return state.range(0) == 0 ? Bench::Get().rsa() : Bench::Get().ec(); }

void FirstToken(benchmark::State& state) {
  const auto keys = *TokenKeys::Parse(KeySet({KeyOf(state)}));
  IssuerRules rules;
  rules.issuer = "https://a.nl";
  rules.name = "a.nl";
  rules.audience = "peiling";
  rules.roles_claim = "realm_access.roles";
  rules.grants["x"].set_role(access::v1::ROLE_MAILER);
  const std::string token = Bench::Get().token(KeyOf(state));
  for (auto _ : state) {
    benchmark::DoNotOptimize(DigestOf(token));
    const auto taken = TakeApart(token);
    if (!keys->Find(taken->key_id, taken->algorithm)->Signed(taken->text, taken->signature)) state.SkipWithError("not signed");
    const Verdict verdict = JudgeClaims(taken->payload, rules, std::chrono::system_clock::now(), std::chrono::seconds(60));
    if (verdict.result != Verdict::Result::kHolds) state.SkipWithError("does not hold");
  }
}
BENCHMARK(FirstToken)->ArgName("es256")->Arg(0)->Arg(1);

void SignatureAlone(benchmark::State& state) {
  const auto keys = *TokenKeys::Parse(KeySet({KeyOf(state)}));
  const std::string text(600, 'x');
  const std::string signature = KeyOf(state).Sign(text);
  const TokenKey* key = keys->Find(KeyOf(state).id(), *AlgorithmNamed(KeyOf(state).algorithm()));
  for (auto _ : state) benchmark::DoNotOptimize(key->Signed(text, signature));
}
BENCHMARK(SignatureAlone)->ArgName("es256")->Arg(0)->Arg(1);

void SlowHash(benchmark::State& state) {
  const std::string secret = identity::NewSecret("0123456789abcdef");
  const access::v1::SecretHash hash = identity::Hash(secret);
  for (auto _ : state) benchmark::DoNotOptimize(identity::Matches(secret, hash));
}
BENCHMARK(SlowHash)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peiling::gateway
