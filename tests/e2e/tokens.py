"""An issuer of OIDC access tokens (RFC 7519, RFC 7517), and of such as nobody should believe. Keys and signatures are made by openssl."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def encoded(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pair_of(signature):
    """(r, s) of ECDSA as JWS has it, from DER."""
    numbers, at = [], 2
    while at < len(signature):
        length = signature[at + 1]
        numbers.append(int.from_bytes(signature[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(numbers)


class SigningKey:
    """A key of the issuer: RS256 or ES256."""

    def __init__(self, directory, kid, algorithm="RS256"):
        self.kid = kid
        self.algorithm = algorithm
        self.path = pathlib.Path(directory) / f"{kid}.pem"
        kind = ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "RS256" else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("genpkey", "-algorithm", *kind, "-out", self.path)

    def public_pem(self):
        return openssl("pkey", "-in", self.path, "-pubout")

    def jwk(self):
        common = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "RS256":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
            return {**common, "kty": "RSA", "n": encoded(bytes.fromhex(modulus)), "e": encoded(b"\x01\x00\x01")}
        point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
        return {**common, "kty": "EC", "crv": "P-256", "x": encoded(point[:32]), "y": encoded(point[32:])}

    def sign(self, data):
        signature = openssl("dgst", "-sha256", "-sign", self.path, data=data)
        return signature if self.algorithm == "RS256" else pair_of(signature)


class Issuer:
    """Signs tokens with the last of its keys."""

    def __init__(self, directory, url="https://login.example.nl/realms/vng", audience="peiling"):
        self.directory = pathlib.Path(directory)
        self.url = url
        self.audience = audience
        self.keys = [SigningKey(self.directory, "first")]

    def jwks(self):
        return json.dumps({"keys": [key.jwk() for key in self.keys]})

    def rotate(self, kid, algorithm="RS256"):
        self.keys.append(SigningKey(self.directory, kid, algorithm))

    def claims(self, roles, **others):
        now = int(time.time())
        return {"iss": self.url, "aud": self.audience, "sub": "8d1f", "iat": now, "nbf": now, "exp": now + 300,
                "realm_access": {"roles": roles}, **others}

    def token(self, claims, key=None, **header):
        key = key or self.keys[-1]
        signed = f"{encoded({'alg': key.algorithm, 'typ': 'JWT', 'kid': key.kid, **header})}.{encoded(claims)}"
        return f"{signed}.{encoded(key.sign(signed.encode()))}"

    def unsigned(self, claims, algorithm="none"):
        return f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': self.keys[-1].kid})}.{encoded(claims)}."

    def signed_with_public_key(self, claims):
        """HS256 with what everybody knows."""
        signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': self.keys[-1].kid})}.{encoded(claims)}"
        return f"{signed}.{encoded(hmac.new(self.keys[-1].public_pem(), signed.encode(), hashlib.sha256).digest())}"
