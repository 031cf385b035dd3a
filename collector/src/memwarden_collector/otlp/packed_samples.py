"""A profile's samples as three arrays, without an object for each: a sample of ours is ten numbers on the wire.

Samples with a stack, one attribute and one value have always the same fields, and all that is in them are varints:
tags, lengths, indices, values. So the bytes of all samples are one row of varints, read at once and laid out ten to a
line. What has another shape is left to the walk.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.proto.profiles.v1development.profiles_pb2 import Profile, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_SAMPLES: Final = 64
"""Below, a walk is as cheap."""
_LINE: Final = 10
_LENGTH: Final = 2  # wire types
_VARINT: Final = 0


_SAMPLE: Final = Sample.DESCRIPTOR.fields_by_name
_SAMPLE_TAG: Final = Profile.DESCRIPTOR.fields_by_name["samples"].number << 3 | _LENGTH
_STACK_TAG: Final = _SAMPLE["stack_index"].number << 3 | _VARINT
_ATTRIBUTES_TAG: Final = _SAMPLE["attribute_indices"].number << 3 | _LENGTH
_VALUES_TAG: Final = _SAMPLE["values"].number << 3 | _LENGTH


class Samples(NamedTuple):
    """Of each sample its stack and its one attribute as indices, and its one value."""

    stacks: "NDArray[np.int64]"
    attributes: "NDArray[np.int64]"
    values: "NDArray[np.int64]"


def read_samples(profile: Profile) -> Samples | None:
    """None where a sample has more or less than that, a stack of index 0, or a value that is negative."""
    if len(profile.samples) < MIN_SAMPLES:
        return None
    import numpy as np

    alone = Profile()
    alone.samples.MergeFrom(profile.samples)
    raw = np.frombuffer(alone.SerializeToString(), np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if len(ends) != _LINE * len(profile.samples):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 10:
        return None
    places = np.arange(len(raw)) - np.repeat(starts, lengths)
    bits = (raw & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    lines = np.add.reduceat(bits, starts).reshape(-1, _LINE)
    sizes = lengths.reshape(-1, _LINE)
    if not _are_samples(lines, sizes) or (lines >> np.uint64(63)).any():
        return None
    whole = lines.astype(np.int64)
    return Samples(whole[:, 3], whole[:, 6], whole[:, 9])


def _are_samples(lines: "NDArray[np.uint64]", sizes: "NDArray[np.int64]") -> bool:
    """Whether each line is tag, length, and three fields in the order of their numbers."""
    import numpy as np

    wanted = {0: _SAMPLE_TAG, 2: _STACK_TAG, 4: _ATTRIBUTES_TAG, 7: _VALUES_TAG}
    if any((lines[:, column] != tag).any() for column, tag in wanted.items()):
        return False
    measured = ((1, sizes[:, 2:].sum(axis=1)), (5, sizes[:, 6]), (8, sizes[:, 9]))
    return all(np.array_equal(lines[:, column], length.astype(np.uint64)) for column, length in measured)
