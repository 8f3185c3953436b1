#include "services/common/hmac/hmac.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace peiling::hmac {
namespace {

// RFC 4231, 4.2, 4.3 and 4.7.
TEST(HmacTest, MakesWhatTheStandardHas) {
  EXPECT_EQ(absl::BytesToHexString(Sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(absl::BytesToHexString(Sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(absl::BytesToHexString(Sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacTest, TakesBytesAndNothing) {
  EXPECT_NE(Sha256("key", std::string("a\0b", 3)), Sha256("key", std::string("a\0c", 3)));
  EXPECT_EQ(Sha256("", "").size(), 32u);
}

}  // namespace
}  // namespace peiling::hmac
