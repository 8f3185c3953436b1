#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/fieldwork/invitations/token.h"

namespace peiling::fieldwork {
namespace {

constexpr char kInvitation[] = "surveys/vn/waves/2026/invitations/GM0363";
const std::string kKey(32, 'k');
const std::string kRandom(16, 'r');
const LinkId kHolder{.invitation = kInvitation};
const LinkId kColleague{.invitation = kInvitation, .colleague = "2"};

TEST(InvitationToken, SaysWhoseItIsAndHas43MoreCharacters) {
  const std::string token = MakeToken(kHolder, kRandom, kKey);
  EXPECT_EQ(token.substr(0, token.size() - 43), absl::StrCat("peiling-uitnodiging_", absl::WebSafeBase64Escape("vn/2026/GM0363"), "_"));
  EXPECT_EQ(ParseToken(token), kHolder);
  EXPECT_EQ(ParseToken(MakeToken(kColleague, kRandom, kKey)), kColleague);
}

TEST(InvitationToken, OfTheLongestNamesIsReadToo) {
  const std::string longest(100, 'z');
  const LinkId id{.invitation = absl::StrCat("surveys/", longest, "/waves/", longest, "/invitations/", longest),
                  .colleague = std::string(100, '9')};
  EXPECT_EQ(ParseToken(MakeToken(id, kRandom, kKey)), id);
}

TEST(InvitationToken, IsTheSameForTheSameLinkAndAnotherForEveryOther) {
  EXPECT_EQ(MakeToken(kHolder, kRandom, kKey), MakeToken(kHolder, kRandom, kKey));
  const LinkId other{.invitation = "surveys/vn/waves/2026/invitations/GM0364"};
  const LinkId third{.invitation = kInvitation, .colleague = "3"};
  std::set<std::string> signatures;
  for (const std::string& token : {MakeToken(kHolder, kRandom, kKey), MakeToken(kHolder, std::string(16, 's'), kKey),
                                   MakeToken(kHolder, kRandom, std::string(32, 'l')), MakeToken(other, kRandom, kKey),
                                   MakeToken(kColleague, kRandom, kKey), MakeToken(third, kRandom, kKey)}) {
    signatures.insert(token.substr(token.size() - 43));
  }
  EXPECT_EQ(signatures.size(), 6);
}

TEST(InvitationToken, WithOneBitChangedIsNotTheOneWhoseHashIsKept) {
  for (const LinkId& id : {kHolder, kColleague}) {
    const std::string token = MakeToken(id, kRandom, kKey);
    const std::string hash = HashOfToken(token);
    ASSERT_TRUE(TokenMatches(token, hash));
    for (size_t bit = 0; bit < token.size() * 8; ++bit) {
      std::string changed = token;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
      EXPECT_FALSE(TokenMatches(changed, hash)) << bit;
    }
  }
}

TEST(InvitationToken, HasOneFormThatIsRead) {
  const std::string token = MakeToken(kHolder, kRandom, kKey);
  const auto of = [](const std::string& ids) {
    return absl::StrCat("peiling-uitnodiging_", absl::WebSafeBase64Escape(ids), "_", std::string(43, 'A'));
  };
  ASSERT_TRUE(ParseToken(of("vn/2026/GM0363")));
  std::string loose_bits = token;
  // The last character of 32 bytes has four bits, two more in it are nobody's.
  loose_bits.back() = loose_bits.back() == 'B' ? 'C' : 'B';
  const std::vector<std::string> none = {
      "", "peiling-uitnodiging_", "peiling-uitnodiging__", absl::StrCat(token, "="), absl::StrCat(token, "A"), absl::StrCat(" ", token),
      absl::StrCat(token, "\n"), token.substr(1), token.substr(0, token.size() - 1), loose_bits,
      // Without '_' before the signature.
      absl::StrCat("peiling-uitnodiging_", absl::WebSafeBase64Escape("vn/2026/GM0363"), "-", std::string(43, 'A')),
      // Padded; of another alphabet; empty.
      absl::StrCat("peiling-uitnodiging_", "dm4vMjAyNi9HTTAzNjM=", "_", std::string(43, 'A')),
      absl::StrCat("peiling-uitnodiging_", "dm4vMjAyNi9HTTAz+jM", "_", std::string(43, 'A')),
      absl::StrCat("peiling-uitnodiging__", std::string(43, 'A')),
      // Names that are none.
      of("vn/2026"), of("vn/2026/"), of("vn//GM0363"), of("vn/2026/GM0363/0"), of("vn/2026/GM0363/02"), of("vn/2026/GM0363/x"),
      of("vn/2026/GM0363/"), of("vn/2026/GM0363/2/3"), of("vn/2026/GM 63"), of("vn/2026/.."), of(std::string(101, 'a') + "/2026/GM0363"),
      of(std::string("vn/2026/GM\0", 11)), of(std::string(2000, 'a'))};
  for (const std::string& text : none) EXPECT_FALSE(ParseToken(text)) << text;
}

TEST(InvitationToken, MatchesNoHashThatIsNone) {
  const std::string token = MakeToken(kHolder, kRandom, kKey);
  EXPECT_FALSE(TokenMatches(token, ""));
  EXPECT_FALSE(TokenMatches("", ""));
  EXPECT_FALSE(TokenMatches(token, HashOfToken(token).substr(0, 31)));
  EXPECT_FALSE(TokenMatches(token, HashOfToken(token) + "x"));
}

TEST(LinkId, IsReadFromASubjectAsItIsWritten) {
  const LinkId second{.invitation = kInvitation, .issue = 2};
  EXPECT_EQ(second.Subject(), absl::StrCat(kInvitation, "/issues/2"));
  EXPECT_EQ(LinkId::Of(second.Subject()), second);
  EXPECT_EQ(LinkId::Of(kColleague.Subject()), kColleague);
  EXPECT_EQ(kColleague.Subject(), absl::StrCat(kInvitation, "/colleagues/2"));
  for (const char* const subject :
       {"", "keys/5f2c", "certificates/vng", "development", "surveys/vn/waves/2026", "surveys/vn/waves/2026/invitations/GM0363/colleagues/",
        "surveys/vn/waves/2026/invitations/", "surveys/vn/waves/2026/invitations/GM0363",
        "surveys/vn/waves/2026/invitations/GM0363/issues/", "surveys/vn/waves/2026/invitations/GM0363/issues/0",
        "surveys/vn/waves/2026/invitations/GM0363/issues/02", "surveys/vn/waves/2026/invitations/GM0363/issues/2x",
        "surveys/vn/waves/2026/invitations/GM0363/issues/4294967297", "surveys/vn/waves/2026/invitations/GM0363/issues/2/colleagues/1",
        "surveys/vn/waves/2026/invitations/GM0363/colleagues/a", "tokens/surveys/vn/waves/2026/invitations/1"}) {
    EXPECT_FALSE(LinkId::Of(subject)) << subject;
  }
}

}  // namespace
}  // namespace peiling::fieldwork
