#include "services/gateway/http/unsubscribe_page.h"

#include "absl/strings/str_cat.h"

namespace peiling::gateway {
namespace {

// No style, script, picture or address of anything else: nothing to load, and nobody to tell.
HttpResponse Page(int status, std::string_view title, std::string_view content) {
  const auto view = [](std::string_view text) { return absl::string_view(text.data(), text.size()); };
  return {status,
          {{"Content-Type", "text/html; charset=utf-8"},
           {"Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'"},
           {"Referrer-Policy", "no-referrer"}},
          absl::StrCat("<!doctype html>\n<html lang=\"nl\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
                       view(title), "</title>\n</head>\n<body>\n<main>\n<h1>", view(title), "</h1>\n", view(content),
                       "</main>\n</body>\n</html>\n")};
}

}  // namespace

bool IsUnsubscription(const HttpRoute& route) { return route.method->full_name() == "peiling.fieldwork.v1.MailService.Unsubscribe"; }

HttpResponse UnsubscribePage() {
  return Page(200, "Afmelden voor e-mail",
              "<p>Wilt u geen e-mail meer ontvangen op het adres waarop u dit bericht kreeg?</p>\n"
              "<form method=\"post\">\n<input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\n"
              "<button>Ja, meld dit adres af</button>\n</form>\n");
}

HttpResponse UnsubscribedPage() {
  return Page(200, "U bent afgemeld",
              "<p>U ontvangt op dit adres geen e-mail meer. Was het een vergissing? Beantwoord dan het bericht dat u kreeg.</p>\n");
}

HttpResponse NotUnsubscribedPage(int status) {
  return Page(status, "Afmelden is niet gelukt",
              "<p>Kijk of de link compleet is overgenomen en probeer het later nog eens, of beantwoord het bericht dat u kreeg.</p>\n");
}

}  // namespace peiling::gateway
