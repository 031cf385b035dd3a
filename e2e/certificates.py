"""Certificates for tests: an authority of a test's own, and what it signs."""

import datetime
import ipaddress
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """A CA that signs itself."""

    def __init__(self, name: str = "memwarden test") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._of_itself()
        self.pem = _pem(self._certificate)

    @classmethod
    def of(cls, certificate: str, key: str) -> Self:
        """One that is there already, as PEM: what it signs is believed where it is."""
        made = cls.__new__(cls)
        found = serialization.load_pem_private_key(key.encode(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        made._key, made.pem = found, certificate
        made._certificate = x509.load_pem_x509_certificate(certificate.encode())
        made._name = made._certificate.subject
        return made

    def _of_itself(self) -> x509.Certificate:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            _builder(self._name, self._name, self._key, DAY * 365)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def write(self, folder: Path, name: str = "ca.pem") -> Path:
        (folder / name).write_text(self.pem)
        return folder / name

    def sign(self, folder: Path, *names: str, days: int = 30, name: str = "tls") -> tuple[Path, Path]:
        """Files of certificate and key for these hosts, of 127.0.0.1 and localhost without; put there whole."""
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = [_host(one) for one in names or ("127.0.0.1", "localhost")]
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(_name("memwarden"), self._name, key, DAY * days)
            .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        files = (folder / f"{name}.crt", folder / f"{name}.key")
        texts = (
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        for file, text in zip(files, texts, strict=True):
            part = file.with_suffix(".part")
            part.write_bytes(text)
            part.replace(file)
        return files


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    """Of `life` from yesterday on; of one below zero, it has ended."""
    now = datetime.datetime.now(datetime.UTC)
    begin = now - DAY if life > datetime.timedelta() else now + 2 * life
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
