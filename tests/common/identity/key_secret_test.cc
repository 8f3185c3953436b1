#include "services/common/identity/key_secret.h"

#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::identity {
namespace {

using access::v1::SecretHash;
using testing::MatchesRegex;

constexpr char kId[] = "0123456789abcdef";

TEST(NewKeyId, IsSixteenHexDigitsThatDoNotRepeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewKeyId();
    EXPECT_THAT(id, MatchesRegex("[0-9a-f]{16}"));
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(NewSecret, HoldsItsKeyAndIsNeverTheSame) {
  const std::string secret = NewSecret(kId);
  EXPECT_THAT(secret, MatchesRegex("peiling_0123456789abcdef_[0-9A-Za-z_-]{43}"));
  EXPECT_EQ(ParseKeyId(secret), kId);
  EXPECT_NE(NewSecret(kId), secret);
}

TEST(ParseKeyId, TakesNothingThatIsNotASecret) {
  const std::string secret = NewSecret(kId);
  std::string upper = secret;
  upper[10] = 'A';
  std::string without_bar = secret;
  without_bar[24] = 'x';
  std::string odd = secret;
  odd.back() = '=';
  std::string with_zero = secret;
  with_zero.back() = '\0';
  for (const std::string& other :
       {std::string(), std::string("peiling_"), secret.substr(1), secret + "A", secret.substr(0, secret.size() - 1), " " + secret.substr(1),
        upper, without_bar, odd, with_zero, std::string(100000, 'a')}) {
    EXPECT_EQ(ParseKeyId(other), std::nullopt) << other.substr(0, 100);
  }
}

TEST(Hash, IsRecognisedByItsSecretAlone) {
  const std::string secret = NewSecret(kId);
  const SecretHash hash = Hash(secret);
  EXPECT_TRUE(Matches(secret, hash));
  EXPECT_FALSE(Matches(NewSecret(kId), hash));
  EXPECT_FALSE(Matches("", hash));
  EXPECT_FALSE(Matches(secret + "A", hash));
}

TEST(Hash, HasASaltOfItsOwnAndTellsItsParameters) {
  const std::string secret = NewSecret(kId);
  const SecretHash hash = Hash(secret);
  const SecretHash other = Hash(secret);
  EXPECT_EQ(hash.salt().size(), 16u);
  EXPECT_EQ(hash.hash().size(), 32u);
  EXPECT_NE(hash.salt(), other.salt());
  EXPECT_NE(hash.hash(), other.hash());
  EXPECT_EQ(hash.cost(), 16384u);
  EXPECT_EQ(hash.block_size(), 8u);
  EXPECT_EQ(hash.parallelisation(), 1u);
}

// The hash is Python's: hashlib.scrypt(b"pleaseletmein", salt=…, n=1024, r=4, p=2, dklen=32).
TEST(Matches, FollowsTheParametersOfTheHash) {
  SecretHash hash;
  hash.set_salt("0123456789abcdef");
  hash.set_hash(absl::HexStringToBytes("87c2f0d62ba3dd228d07fd8c169489d31a7150e68c32f6ef6ad9014b2236fda3"));
  hash.set_cost(1024);
  hash.set_block_size(4);
  hash.set_parallelisation(2);
  EXPECT_TRUE(Matches("pleaseletmein", hash));
  hash.set_parallelisation(1);
  EXPECT_FALSE(Matches("pleaseletmein", hash));
}

struct BadHash {
  const char* what;
  void (*spoil)(SecretHash&);
};

TEST(Matches, NothingWithAHashOutOfBounds) {
  const std::string secret = NewSecret(kId);
  const SecretHash good = Hash(secret);
  const BadHash bad_hashes[] = {
      {"no hash", [](SecretHash& hash) { hash.Clear(); }},
      {"an empty hash", [](SecretHash& hash) { hash.clear_hash(); }},
      {"half a hash", [](SecretHash& hash) { hash.mutable_hash()->resize(16); }},
      {"no salt", [](SecretHash& hash) { hash.clear_salt(); }},
      {"cost 0", [](SecretHash& hash) { hash.set_cost(0); }},
      {"cost no power of two", [](SecretHash& hash) { hash.set_cost(16385); }},
      {"cost beyond the bound", [](SecretHash& hash) { hash.set_cost(1u << 31); }},
      {"block size 0", [](SecretHash& hash) { hash.set_block_size(0); }},
      {"block size beyond the bound", [](SecretHash& hash) { hash.set_block_size(0xffffffffu); }},
      {"parallelisation 0", [](SecretHash& hash) { hash.set_parallelisation(0); }},
      {"parallelisation beyond the bound", [](SecretHash& hash) { hash.set_parallelisation(5); }},
      {"a product that overflows",
       [](SecretHash& hash) {
         hash.set_cost(1u << 31);
         hash.set_block_size(1u << 31);
         hash.set_parallelisation(4);
       }},
  };
  for (const BadHash& bad : bad_hashes) {
    SecretHash hash = good;
    bad.spoil(hash);
    EXPECT_FALSE(Matches(secret, hash)) << bad.what;
  }
  EXPECT_TRUE(Matches(secret, good));
}

}  // namespace
}  // namespace peiling::identity
