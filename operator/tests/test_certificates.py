"""Certificates over the years: who signs, who is believed, and that no pod is ever cut off."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memwarden_operator.certificates.authority import KNOWN_BEFORE_SIGNING, Pair, State, renewed
from memwarden_operator.certificates.command import dns_names
from memwarden_operator.injector.certificate_file import CertificateFile, expiry

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = dns_names("memwarden-injector,memwarden-collector", "memwarden-system")


def test_nothing_becomes_an_authority_and_a_leaf_and_stays_so() -> None:
    first = renewed(State(), NAMES, START)
    assert first.signing is not None
    assert first.leaf is not None
    assert first.successor is None
    assert renewed(first, NAMES, START + timedelta(days=19)) is first


def test_over_six_years_a_pod_believes_the_server_for_ninety_days() -> None:
    """A writer that looks every five days; a pod carries the bundle of its day."""
    state, bundles, signers = State(), [], set()
    for day in range(0, 6 * 365, 5):
        now = START + timedelta(days=day)
        state = renewed(state, NAMES, now)
        assert state.leaf is not None
        assert state.signing is not None
        signers.add(state.signing.certificate)
        bundles.append(state.bundle())
        ninety_days_ago = bundles[max(0, len(bundles) - 18)]
        assert any(signed_by(state.leaf, one) for one in authorities(ninety_days_ago)), day
        assert state.leaf.ends - now > timedelta(days=9), day
        assert state.leaf.ends <= state.signing.ends
        assert len(authorities(state.bundle())) <= 3
    assert len(signers) >= 3


def authorities(bundle: str) -> list[Pair]:
    begin = "-----BEGIN CERTIFICATE-----"
    return [Pair(f"{begin}{part}", "") for part in bundle.split(begin)[1:]]


def signed_by(leaf: Pair, authority: Pair) -> bool:
    return leaf.parsed.issuer == authority.parsed.subject


def test_a_successor_is_known_before_it_signs_even_when_the_writer_was_away() -> None:
    state = renewed(State(), NAMES, START)
    late = renewed(state, NAMES, START + timedelta(days=700))
    assert late.successor is not None
    assert late.signing == state.signing
    soon = renewed(late, NAMES, START + timedelta(days=710))
    assert soon.signing == state.signing
    # The old one's end comes before the ninety days are over: what is signed by it is believed by nobody any more.
    after = renewed(soon, NAMES, START + timedelta(days=731))
    assert after.signing == late.successor


def test_the_one_before_is_believed_until_it_has_expired() -> None:
    state = renewed(State(), NAMES, START)
    prepared = renewed(state, NAMES, START + timedelta(days=560))
    handed = renewed(prepared, NAMES, START + timedelta(days=561) + KNOWN_BEFORE_SIGNING)
    assert state.signing is not None
    assert handed.retired == (state.signing.certificate,)
    assert state.signing.certificate.strip() in handed.bundle()
    assert renewed(handed, NAMES, START + timedelta(days=735)).retired == ()


def test_other_names_and_a_leaf_that_is_damaged_make_a_new_leaf() -> None:
    state = renewed(State(), NAMES, START)
    other = renewed(state, ("a.b",), START)
    assert other.leaf != state.leaf
    assert other.signing == state.signing
    damaged = State(state.signing, None, (), Pair("nothing", "nothing"))
    assert renewed(damaged, NAMES, START).leaf is not None


def write(folder: Path, pair: Pair) -> tuple[Path, Path]:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_text(pair.certificate)
    key.write_text(pair.key)
    return certificate, key


def test_a_new_certificate_is_loaded_and_a_pair_that_does_not_fit_is_not(tmp_path: Path) -> None:
    first = renewed(State(), NAMES, datetime.now(UTC))
    second = renewed(State(), NAMES, datetime.now(UTC) + timedelta(days=1))
    assert first.leaf is not None
    assert second.leaf is not None
    served = CertificateFile(*write(tmp_path, first.leaf))
    assert served.reload()
    assert served.expires_at == first.leaf.ends.timestamp()
    assert not served.reload()
    write(tmp_path, Pair(second.leaf.certificate, first.leaf.key))
    with pytest.raises(ssl.SSLError):
        served.reload()
    assert served.expires_at == first.leaf.ends.timestamp()
    served.look()
    write(tmp_path, second.leaf)
    assert served.reload()
    assert served.expires_at == second.leaf.ends.timestamp()


def test_a_certificate_s_end_is_read_from_its_bytes() -> None:
    state = renewed(State(), NAMES, START)
    far = renewed(State(), NAMES, datetime(2049, 6, 1, tzinfo=UTC))
    for pair in (state.leaf, state.signing, far.signing):
        assert pair is not None
        assert expiry(pair.certificate) == pair.ends
    for wrong in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        with pytest.raises(ValueError):
            expiry(wrong)
