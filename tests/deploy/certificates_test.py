"""deploy/certificates: what it makes is believed, stays as long as it is good, and is never half there."""

import pathlib
import stat
import subprocess
import tempfile
import unittest

from nginx_server import make_certificates


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


class Certificates(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="peiling-certificates-")
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name) / "certs"

    def make(self, *names, more=()):
        make_certificates(self.folder, *names, more=more)
        return {path.name: (path / "tls.crt").read_text() for path in self.folder.iterdir() if path.is_symlink()}

    def test_they_are_for_their_names_as_server_and_client_and_lead_to_the_authority(self):
        self.make("peiling-intake=intake.internal,10.0.0.7,::1")
        certificate = self.folder / "peiling-intake/tls.crt"
        text = openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName,extendedKeyUsage,basicConstraints")
        for part in ("DNS:peiling-intake, DNS:intake.internal, IP Address:10.0.0.7, IP Address:0:0:0:0:0:0:0:1", "TLS Web Server Authentication, TLS Web Client Authentication",
                     "CA:FALSE"):
            self.assertIn(part, text)
        for purpose in ("sslserver", "sslclient"):
            self.assertIn("OK", openssl("verify", "-purpose", purpose, "-CAfile", self.folder / "peiling-intake/ca.crt", certificate))
        key = openssl("pkey", "-in", self.folder / "peiling-intake/tls.key", "-pubout")
        self.assertEqual(key, openssl("x509", "-in", certificate, "-noout", "-pubkey"))

    def test_they_stay_until_they_must_go(self):
        first = self.make("a=one", "b")
        self.assertEqual(first, self.make("a=one", "b"))
        changed = self.make("a=one,two", "b")
        self.assertEqual((True, True), (changed["a"] != first["a"], changed["b"] == first["b"]))
        # The rest of its 90 days is less than a third of 365.
        long_lived = self.make("b", more=["--days", "365"])
        self.assertNotEqual(changed["b"], long_lived["b"])
        self.assertNotEqual(long_lived["b"], self.make("b", more=["--renew"])["b"])

    def test_a_new_authority_means_new_certificates(self):
        first = self.make("a")
        (self.folder / "ca.crt").unlink()
        self.assertNotEqual(first, self.make("a"))
        self.assertIn("OK", openssl("verify", "-CAfile", self.folder / "ca.crt", self.folder / "a/tls.crt"))

    def test_only_the_owner_reads_them_and_nothing_of_before_is_left(self):
        self.make("a")
        self.make("a", more=["--renew"])
        self.assertEqual({"a", "ca.crt", "ca.key"}, {path.name for path in self.folder.iterdir() if not path.name.startswith(".")})
        self.assertEqual(1, len([path for path in self.folder.iterdir() if path.name.startswith(".")]))
        for path in [self.folder, *self.folder.rglob("*")]:
            if not path.is_symlink():
                self.assertEqual(0, stat.S_IMODE(path.stat().st_mode) & 0o077, path)

    def test_a_name_that_leads_elsewhere_is_refused(self):
        for name in ("../a", "a/b", "", ".a", "-a b"):
            with self.assertRaises(subprocess.CalledProcessError):
                self.make(name)


if __name__ == "__main__":
    unittest.main()
