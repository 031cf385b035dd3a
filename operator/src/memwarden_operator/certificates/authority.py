"""What certificates there should be: a pure plan from what there is and the time.

An authority lives 2 years, a leaf 30 days. Pods outlive certificates: they carry the bundle of their day. So a new
authority stands in the bundle for 90 days before it signs anything, and an old one until it has expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=730)
LEAF_LIFE: Final = timedelta(days=30)
LEAF_RENEWED_BEFORE: Final = timedelta(days=10)
"""A third of its life: a writer that is away for a week does no harm."""
KNOWN_BEFORE_SIGNING: Final = timedelta(days=90)
SUCCESSOR_BEFORE: Final = KNOWN_BEFORE_SIGNING + timedelta(days=90)
"""Before its authority's end: the successor is known for 90 days, then has 90 days' grace to take over."""
CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str = field(repr=False)

    @property
    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def begins(self) -> datetime:
        return self.parsed.not_valid_before_utc

    @property
    def ends(self) -> datetime:
        return self.parsed.not_valid_after_utc


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept: `signing` makes leaves, `successor` will; `retired` are certificates of authorities before."""

    signing: Pair | None = None
    successor: Pair | None = None
    retired: tuple[str, ...] = ()
    leaf: Pair | None = None

    def bundle(self) -> str:
        """PEM of everybody whose leaves are to be believed, the signing one first."""
        authorities = [pair.certificate for pair in (self.signing, self.successor) if pair is not None]
        return "".join(f"{text.strip()}\n" for text in (*authorities, *self.retired))


def renewed(state: State, names: Sequence[str], now: datetime) -> State:
    """The state as it should be; the same object where nothing is due. Raises ValueError where one can't be read."""
    made = _authorities(state, now)
    if made.signing is None:
        raise AssertionError("there is always one that signs")
    if made.leaf is None or _is_due(made.leaf, made.signing, names, now):
        made = replace(made, leaf=_leaf(made.signing, names, now))
    return state if made == state else made


def _authorities(state: State, now: datetime) -> State:
    signing, successor = state.signing, state.successor
    retired = tuple(text for text in state.retired if Pair(text, "").ends > now)
    if signing is None or signing.ends <= now:
        # Nothing that is signed is believed any more: no reason to wait with the successor.
        signing, successor = successor or _authority(now), None
    elif successor is None and signing.ends - now < SUCCESSOR_BEFORE:
        successor = _authority(now)
    elif successor is not None and _known_for(successor, now) >= KNOWN_BEFORE_SIGNING:
        retired = (*retired, signing.certificate)
        signing, successor = successor, None
    return State(signing, successor, retired, state.leaf)


def _known_for(pair: Pair, now: datetime) -> timedelta:
    return now - pair.begins - CLOCK_SKEW


def _is_due(leaf: Pair, signing: Pair, names: Sequence[str], now: datetime) -> bool:
    try:
        certificate = leaf.parsed
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        said = set(found.get_values_for_type(x509.DNSName))
        certificate.verify_directly_issued_by(signing.parsed)
    except Exception:
        # Whatever is wrong with it (unreadable, another's signature, no names): a new one is right.
        return True
    return leaf.ends - now < LEAF_RENEWED_BEFORE or said != set(names)


def _authority(now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # Told apart by their names: two authorities of one name confuse verifiers.
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"memwarden {now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}")]
    )
    certificate = (
        _certificate(name, name, key, now, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _leaf(signing: Pair, names: Sequence[str], now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = signing.parsed
    issuer_key = serialization.load_pem_private_key(signing.key.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not one of ours; delete its Secret to begin anew")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "memwarden")])
    certificate = (
        _certificate(name, issuer.subject, key, now, min(now + LEAF_LIFE, signing.ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(ends)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
