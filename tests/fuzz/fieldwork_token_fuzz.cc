// Whatever is shown as a link's token: nothing crashes, what is read has one form, and nobody is let in but with what was made.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/fieldwork/invitations/token.h"
#include "tests/fuzz/mutate.h"

namespace peiling::fieldwork {
namespace {

const std::string kKey(32, 'k');
const std::string kRandom(16, 'r');

TEST(FieldworkTokenFuzz, ATokenThatIsReadHasOneFormAndIsTheOneThatWasMadeOrMatchesNothing) {
  const std::string invitation = "surveys/vn/waves/2026/invitations/GM0363";
  const std::vector<LinkId> ids = {{.invitation = invitation},
                                   {.invitation = invitation, .colleague = "2"},
                                   {.invitation = "surveys/v_-n/waves/20.26~/invitations/GM0001", .colleague = "11"}};
  std::vector<std::string> made, hashes;
  for (const LinkId& id : ids) {
    made.push_back(MakeToken(id, kRandom, kKey));
    hashes.push_back(HashOfToken(made.back()));
  }
  const std::vector<std::string> words = {"peiling-uitnodiging_", "_", "-", "=", "/", "dm4vMjAyNi9HTTAzNjM",
                                          std::string(43, 'A'),   "A", "\n"};
  size_t read = 0;
  fuzz::Run(made, fuzz::Mutator(1, words, 1500), [&](const std::string& text) {
    for (size_t i = 0; i < made.size(); ++i) ASSERT_EQ(TokenMatches(text, hashes[i]), text == made[i]);
    auto id = ParseToken(text);
    if (!id) return;
    ++read;
    // A token does not say of which issue it is.
    if (id->colleague.empty()) id->issue = 1;
    ASSERT_EQ(LinkId::Of(id->Subject()), id);
    // All but the signature follows from whose link it says it is.
    const std::string again = MakeToken(*id, kRandom, kKey);
    ASSERT_EQ(text.size(), again.size());
    ASSERT_EQ(text.substr(0, text.size() - 43), again.substr(0, again.size() - 43));
  });
  EXPECT_GE(read, made.size());
}

TEST(FieldworkTokenFuzz, ASubjectThatIsReadIsWrittenAsItWas) {
  const std::vector<std::string> corpus = {"surveys/vn/waves/2026/invitations/GM0363/issues/1",
                                           "surveys/vn/waves/2026/invitations/GM0363/colleagues/2", "keys/5f2c", "tokens/a.nl/surveys"};
  fuzz::Run(corpus, fuzz::Mutator(2, {"/", "/colleagues/", "/issues/", "invitations/", "0", "surveys/"}), [](const std::string& text) {
    const auto id = LinkId::Of(text);
    if (!id) return;
    ASSERT_EQ(id->Subject(), text);
    const auto parsed = ParseToken(MakeToken(*id, kRandom, kKey));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->invitation, id->invitation);
    ASSERT_EQ(parsed->colleague, id->colleague);
  });
}

}  // namespace
}  // namespace peiling::fieldwork
