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
_LONGEST: Final = 10
"""Bytes of a varint."""
_TYPE: Final = "sample_type"
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
    count = len(profile.samples)
    if count < MIN_SAMPLES:
        return None
    import numpy as np

    # What is in front of the samples has a lower number: the type alone. Then count fields that are samples are all.
    before = Profile(sample_type=profile.sample_type).SerializeToString() if profile.HasField(_TYPE) else b""
    data = profile.SerializeToString()
    if not data.startswith(before):
        return None
    raw = np.frombuffer(data, np.uint8, offset=len(before))
    ends = np.flatnonzero(raw < 0x80)[: _LINE * count]
    if len(ends) != _LINE * count:
        return None
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    sizes = (ends - starts + 1).reshape(-1, _LINE)
    lines = _Lines(raw, starts.reshape(-1, _LINE), sizes)
    if sizes.max() > _LONGEST or not lines.are_samples():
        return None
    stacks, attributes, values = (lines.column(place) for place in (3, 6, 9))
    if any((one >> np.uint64(63)).any() for one in (stacks, attributes, values)):
        return None
    return Samples(stacks.astype(np.int64), attributes.astype(np.int64), values.astype(np.int64))


class _Lines(NamedTuple):
    """Varints, ten to a line."""

    raw: "NDArray[np.uint8]"
    starts: "NDArray[np.intp]"
    sizes: "NDArray[np.intp]"

    def are_samples(self) -> bool:
        """Whether each line is tag, length, and three fields in the order of their numbers."""
        raw, starts, sizes = self
        wanted = {0: _SAMPLE_TAG, 2: _STACK_TAG, 4: _ATTRIBUTES_TAG, 7: _VALUES_TAG}
        if any((raw[starts[:, place]] != tag).any() for place, tag in wanted.items()):
            return False
        measured = ((1, sizes[:, 2:].sum(axis=1)), (5, sizes[:, 6]), (8, sizes[:, 9]))
        return not any((self.column(place) != length).any() for place, length in measured)

    def column(self, place: int) -> "NDArray[np.uint64]":
        import numpy as np

        starts, sizes = self.starts[:, place], self.sizes[:, place]
        found = (self.raw[starts] & 0x7F).astype(np.uint64)
        for byte in range(1, int(sizes.max())):
            longer = np.flatnonzero(sizes > byte)
            bits = (self.raw[starts[longer] + byte] & 0x7F).astype(np.uint64)
            found[longer] |= bits << np.uint64(7 * byte)
        return found
