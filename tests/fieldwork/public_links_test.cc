#include "services/fieldwork/public_links.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr char kUrl[] = "https://peiling.example";

TEST(PublicLinks, LinksLeadBelowThePublicAddress) {
  for (const char* url : {"https://peiling.example.nl", "https://peiling.example.nl:8443/", "https://example.nl/peiling//",
                          "http://localhost:7380", "http://127.0.0.1:7380", "http://[::1]:7380"}) {
    const auto links = MakePublicLinks(url, "");
    ASSERT_TRUE(links.ok()) << links.status();
    EXPECT_FALSE(links->public_url.ends_with('/')) << url;
    EXPECT_EQ(links->link, links->public_url + "/deelnemen#{token}");
  }
}

TEST(PublicLinks, PublicAddressIsOneThatIsSafe) {
  for (const char* url : {"",
                          "peiling.example",
                          "//peiling.example",
                          "https://",
                          "https:/peiling.example",
                          "http://peiling.example",
                          "http://10.0.0.1",
                          "http://127.evil.example",
                          "http://localhost.evil.example",
                          "http://localhost@evil.example",
                          "ftp://peiling.example",
                          "javascript:alert(1)",
                          "https://user@peiling.example",
                          "https://user:word@peiling.example",
                          "https://peiling.example?a=b",
                          "https://peiling.example/?",
                          "https://peiling.example#x",
                          "https://peiling.example/#",
                          "https://peiling.example/a b",
                          "https://peiling.example/\r\nBcc:x",
                          "https://peiling.example/>",
                          "https://peiling.example/\"x",
                          "https://peiling.example:99999",
                          "https://peiling.example\\x"}) {
    const auto links = MakePublicLinks(url, "");
    EXPECT_EQ(status::Reason(links.status()), "LINK_INVALID") << url;
    EXPECT_TRUE(std::string(links.status().message()).starts_with("--public-url: ")) << url;
  }
  EXPECT_FALSE(MakePublicLinks("https://peiling.example/" + std::string(500, 'x'), "").ok());
}

TEST(PublicLinks, TokenIsInTheLinksFragment) {
  for (const char* link :
       {"https://vragen.example/#{token}", "https://vragen.example/a?b=c#uitnodiging={token}&d", "http://localhost:3000/#{token}"}) {
    const auto links = MakePublicLinks(kUrl, link);
    ASSERT_TRUE(links.ok()) << links.status();
    EXPECT_EQ(links->link, link);
  }
  for (const char* link :
       {"https://vragen.example/", "https://vragen.example/{token}", "https://vragen.example/?t={token}", "https://{token}.example/#",
        "https://vragen.example/{token}#{token}", "https://vragen.example/#{token}{token}", "http://vragen.example/#{token}",
        "https://a@vragen.example/#{token}", "vragen.example#{token}", "https://vragen.example/#{token}\n"}) {
    const auto links = MakePublicLinks(kUrl, link);
    EXPECT_EQ(status::Reason(links.status()), "LINK_INVALID") << link;
    EXPECT_TRUE(std::string(links.status().message()).starts_with("--link: ")) << link;
  }
}

}  // namespace
}  // namespace peiling::fieldwork
