"""Profiles: an ExportProfilesServiceRequest becomes blocks for the store.

The three Profiles of a process and moment (inuse_space, inuse_objects, inuse_samples) become one row, keyed
by (stack, age bucket). Other types are answered as partial success. A sample without an age counts as old.
"""

import bisect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

from memwarden_api import names
from memwarden_collector.batch import Json, ProfileRow, ResourceBlock, StackTable
from memwarden_collector.clock import Now
from memwarden_collector.otlp.attributes import BadAttributes
from memwarden_collector.otlp.identity import identify
from memwarden_collector.otlp.metrics import time_check
from memwarden_collector.otlp.packed_samples import read_samples
from memwarden_collector.otlp.profiles_codec import ProfilesRequest, ProfileView
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

_OLDEST_BUCKET = len(names.AGE_BOUNDS_SECONDS)
_AGE_BITS: Final = 4
_MAX_SUM = 2**63 - 1
_TOO_LARGE: Final = ("too_large", "the sum of a profile's samples does not fit 64 bits")
_Cells = dict[tuple[int, int], list[int]]
"""(stack, age bucket) → live bytes, blocks, samples."""


class _Found(NamedTuple):
    """The samples of one Profile."""

    type: str
    stacks: "Numbers"
    ages: "Numbers"
    """Age buckets."""
    values: "Numbers"


def decode_profiles(
    message: ExportProfilesServiceRequest, limits: Limits, now: Now
) -> tuple[list[ResourceBlock], Rejections]:
    """Blocks and what was rejected."""
    rejections = Rejections("profiles")
    request = ProfilesRequest(message, limits, rejections)
    walk = _Walk(request, rejections, limits, now)
    blocks: dict[bytes, ResourceBlock] = {}
    moments: dict[tuple[bytes, int], list[_Found]] = {}
    for resource in request.resources():
        try:
            identity = identify(resource.attributes)
        except BadAttributes as bad:
            rejections.reject(bad.reason, f"resource: {bad.text}", len(resource.profiles))
            continue
        block = blocks.setdefault(identity.fp, ResourceBlock(identity, resource.attributes))
        block.attributes = resource.attributes
        for profile in resource.profiles:
            if walk.accepts(profile) and (found := walk.read(profile)) is not None:
                moments.setdefault((identity.fp, profile.time // 1000), []).append(found)
                block.items += 1
    table = StackTable(request.stacks.fingerprints, request.stacks.frames)
    for (fp, time), profiles in moments.items():
        # A moment without a sample is kept too: nothing was alive.
        row = _aligned(time, table, profiles) or _row(time, table, _lay(profiles))
        if row is None:
            rejections.reject(*_TOO_LARGE, len(profiles))
            blocks[fp].items -= len(profiles)
        else:
            blocks[fp].profiles.append(row)
    return [block for block in blocks.values() if block.rows], rejections


class _Walk:
    def __init__(self, request: ProfilesRequest, rejections: Rejections, limits: Limits, now: Now) -> None:
        self._request = request
        self._rejections = rejections
        self._limits = limits
        self._check_time = time_check(limits, now)
        self._ages: dict[tuple[int, ...], int] = {}
        self._checked: Numbers | None = None
        """Stacks of the last profile that was read at once: those of a moment mostly have the same."""
        self._samples = 0

    def accepts(self, profile: ProfileView) -> bool:
        """Whether type, time and size are right; what is not is counted."""
        limit = self._limits.max_profile_samples
        if profile.type not in names.PROFILE_TYPES:
            self._rejections.reject(
                "not_stored", "a profile that is not of live memory (inuse_*) is not stored yet"
            )
        elif (late := self._check_time(profile.time)) is not None:
            self._rejections.reject(*late)
        elif self._samples + profile.size > limit:
            self._rejections.reject("profile_samples", f"over max_profile_samples={limit} in one request")
        else:
            self._samples += profile.size
            return True
        return False

    def read(self, profile: ProfileView) -> _Found | None:
        """Its samples, or None where one is bad, which is counted."""
        return self._packed(profile) or self._walked(profile)

    def _walked(self, profile: ProfileView) -> _Found | None:
        stacks: list[int] = []
        buckets: list[int] = []
        found: list[int] = []
        ages, check = self._ages, self._request.stacks.check
        try:
            for stack, attributes, value in profile.samples():
                if value < 0:
                    raise BadAttributes("negative", "a sample is negative")
                check((stack,))
                age = ages.get(attributes)
                stacks.append(stack)
                buckets.append(self._age(attributes) if age is None else age)
                found.append(value)
            if sum(found) > _MAX_SUM:
                raise BadAttributes(*_TOO_LARGE)
        except BadAttributes as bad:
            self._rejections.reject(bad.reason, bad.text)
            return None
        return _Found(profile.type, _numbers(stacks), _numbers(buckets), _numbers(found))

    def _packed(self, profile: ProfileView) -> _Found | None:
        """The same of samples that can be read all at once; None for others, and where one is bad."""
        import numpy as np

        samples = read_samples(profile.message)
        if samples is None or float(samples.values.sum(dtype=float)) > _MAX_SUM / 2:
            return None
        try:
            if self._checked is None or not np.array_equal(samples.stacks, self._checked):
                self._request.stacks.check(set(samples.stacks.tolist()))
                self._checked = samples.stacks
            kinds, which = np.unique(samples.attributes, return_inverse=True)
            buckets = _numbers([self._age((index,)) for index in kinds.tolist()])
        except BadAttributes:
            return None
        return _Found(profile.type, samples.stacks, buckets[which], samples.values)

    def _age(self, indices: tuple[int, ...]) -> int:
        known = self._ages.get(indices)
        if known is None:
            found = [
                value for key, value in map(self._request.attribute, indices) if key == names.PROFILE_AGE
            ]
            known = self._ages[indices] = _bucket(found[0]) if found else _OLDEST_BUCKET
        return known


def _aligned(time: int, table: StackTable, profiles: list[_Found]) -> ProfileRow | None:
    """The row of profiles that have the same cells in the same order, as the sidecar sends them; None for others."""
    import numpy as np

    by_type = {one.type: one.values for one in profiles}
    first = profiles[0]
    cells = len(first.stacks)
    if len(by_type) != len(profiles) or len(np.unique(first.stacks << _AGE_BITS | first.ages)) != cells:
        return None
    if not all(
        np.array_equal(one.stacks, first.stacks) and np.array_equal(one.ages, first.ages)
        for one in profiles[1:]
    ):
        return None
    nothing = np.zeros(cells, np.int64)
    columns = [by_type.get(name, nothing) for name in names.PROFILE_TYPES]
    return ProfileRow(time, table, first.stacks, first.ages, *columns)


def _lay(profiles: list[_Found]) -> _Cells:
    cells: _Cells = {}
    for one in profiles:
        position = names.PROFILE_TYPES.index(one.type)
        for stack, age, value in zip(*(column.tolist() for column in one[1:]), strict=True):
            cells.setdefault((stack, age), [0, 0, 0])[position] += value
    return cells


def _bucket(upper: Json) -> int:
    """The bucket whose upper bound this is: a number or its text, "inf" for the last."""
    try:
        seconds = float(upper) if isinstance(upper, int | float | str) else math.nan
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds) or seconds < 0:
        raise BadAttributes("age", f"{names.PROFILE_AGE} is not a number of seconds")
    return bisect.bisect_left(names.AGE_BOUNDS_SECONDS, seconds)


def _row(time: int, table: StackTable, cells: _Cells) -> ProfileRow | None:
    """None where a sum is too large."""
    columns = list(zip(*cells.values(), strict=True)) or [(), (), ()]
    if any(sum(column) > _MAX_SUM for column in columns):
        return None
    stacks, ages = ([key[place] for key in cells] for place in (0, 1))
    return ProfileRow(time, table, *map(_numbers, (stacks, ages, *columns)))


def _numbers(values: Sequence[int]) -> "Numbers":
    import numpy as np

    return np.array(values, np.int64)
