"""A certificate authority for tests, made with openssl: its own certificate, and those it issues, as PEM files in a directory."""

import dataclasses
import pathlib
import subprocess


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key."""
    certificate: pathlib.Path
    key: pathlib.Path

    def read(self):
        """(key, certificate) as bytes, as grpc.ssl_channel_credentials takes them."""
        return self.key.read_bytes(), self.certificate.read_bytes()


class Authority:
    """Makes itself in `directory`, where ca.pem is what others must believe."""

    def __init__(self, directory, name="Peiling test authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "ca.pem"
        self.key = self.directory / "ca.key"
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", self.key, "-out", self.certificate, "-days", "30", "-subj", f"/CN={name}",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, dns=None, uris=(), ips=("127.0.0.1", "::1"), days=30, client=True, server=True):
        """Writes NAME.pem and NAME.key, over earlier ones each at once. `dns` are its names beside localhost, by default NAME itself;
        with days=-1 it has expired."""
        uses = [use for use, wanted in (("clientAuth", client), ("serverAuth", server)) if wanted]
        names = [f"DNS:{each}" for each in ((name,) if dns is None else dns)] + [f"URI:{uri}" for uri in uris]
        if server:
            names += ["DNS:localhost", *(f"IP:{ip}" for ip in ips)]
        certificate, key, request, extensions = (self.directory / f"{name}{end}" for end in (".pem", ".key", ".csr", ".ext"))
        extensions.write_text(f"subjectAltName={','.join(names)}\nextendedKeyUsage={','.join(uses)}\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", *_NEW_KEY, "-keyout", f"{key}.new", "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", str(days), "-extfile",
                      extensions, "-out", f"{certificate}.new")
        pathlib.Path(f"{key}.new").replace(key)
        pathlib.Path(f"{certificate}.new").replace(certificate)
        request.unlink()
        extensions.unlink()
        return Pair(certificate, key)

    def flags(self, pair):
        """What a service is started with to show `pair` to clients and peers, and to believe this authority."""
        return [f"--tls-certificate={pair.certificate}", f"--tls-key={pair.key}", f"--tls-client-ca={self.certificate}"]

    @staticmethod
    def _openssl(*arguments):
        made = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        if made.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]}: {made.stderr}")


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
