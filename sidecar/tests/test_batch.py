"""Batch ids and bodies."""

import gzip
import uuid

from memwarden_sidecar.export.batch import BatchIds, compress


def test_ids_are_uuid7_of_their_time():
    one = uuid.UUID(BatchIds(lambda: 1_700_000_000.123).next())
    assert one.version == 7
    assert one.variant == uuid.RFC_4122
    assert one.int >> 80 == 1_700_000_000_123


def test_ids_rise_strictly_while_the_clock_stands_or_goes_back():
    times = iter([5.0] * 5000 + [4.0] * 10 + [6.0] * 10)
    ids = BatchIds(lambda: next(times))
    made = [ids.next() for _ in range(5020)]
    assert made == sorted(set(made))


def test_a_body_is_gzip_and_the_same_for_the_same_message():
    assert gzip.decompress(compress(b"x" * 1000)) == b"x" * 1000
    assert compress(b"abc") == compress(b"abc")
