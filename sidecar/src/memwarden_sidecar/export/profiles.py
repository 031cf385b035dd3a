"""Allocation sites as OTLP profiles, package `v1development`, in the shape of opentelemetry-proto 1.10.

Three Profiles (bytes, blocks, samples) of one process and one moment on one dictionary. A sample is (stack,
age bucket). Index 0 of each table is the zero value, nothing stands in a table twice, nothing is unused.
The message is ProfilesData, which has the bytes of an ExportProfilesServiceRequest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from opentelemetry.proto.profiles.v1development.profiles_pb2 import (
    Function,
    KeyValueAndUnit,
    Line,
    Link,
    Location,
    Mapping,
    Profile,
    ProfilesData,
    ProfilesDictionary,
    ResourceProfiles,
    ScopeProfiles,
    Stack,
    ValueType,
)

from memwarden_api import names
from memwarden_sidecar.export.metrics import LIBRARY
from memwarden_sidecar.export.resources import ScopeIdentity, any_value, process_resource
from memwarden_sidecar.observation import ProcessIdentity
from memwarden_sidecar.probes.table import BUCKETS, Cell, Frame, Site, cells_of
from memwarden_sidecar.settings import PROFILE_ROWS, STACK_FRAMES

AGES: Final = (*(str(bound) for bound in names.AGE_BOUNDS_SECONDS), "inf")
REST: Final[Frame] = ("", "(smaller allocation sites)", 0)
"""Stands for the sites that are left out of a profile with more than PROFILE_ROWS rows."""
_VALUES: Final[Sequence[tuple[str, str, Callable[[Cell], float]]]] = (
    (names.PROFILE_SPACE, "bytes", lambda cell: cell.size),
    (names.PROFILE_BLOCKS, "count", lambda cell: cell.blocks),
    (names.PROFILE_SAMPLES, "count", lambda cell: cell.samples),
)


def encode(
    scope: ScopeIdentity,
    process: ProcessIdentity,
    time: float,
    period: int,
    sites: Iterable[Site],
    *,
    with_inherited: bool,
) -> bytes:
    """`time` in Unix seconds, `period` in mean bytes between two samples.

    `with_inherited`: what came with the fork counts too.
    """
    dictionary = _Dictionary()
    placed = [
        (dictionary.stack(frames), dictionary.age(cell.age), cell)
        for frames, cells in _largest(sites, with_inherited)
        for cell in cells
    ]
    profiles = []
    for name, unit, value in _VALUES:
        profile = Profile(
            sample_type=dictionary.value_type(name, unit),
            period_type=dictionary.value_type("space", "bytes"),
            period=period,
            time_unix_nano=round(time * 1e9),
        )
        add = profile.samples.add
        for stack, age, cell in placed:
            add(stack_index=stack, attribute_indices=(age,), values=(round(value(cell)),))
        profiles.append(profile)
    return ProfilesData(
        resource_profiles=[
            ResourceProfiles(
                resource=process_resource(scope, process),
                scope_profiles=[ScopeProfiles(scope=LIBRARY, profiles=profiles)],
            )
        ],
        dictionary=dictionary.message,
    ).SerializeToString()


def _largest(
    sites: Iterable[Site], with_inherited: bool
) -> Iterator[tuple[tuple[Frame, ...], Iterable[Cell]]]:
    """The largest sites, as many as PROFILE_ROWS allows; the others summed as one."""
    weighed = [
        (site.frames, cells) for site in sites if (cells := cells_of(site, with_inherited=with_inherited))
    ]
    weighed.sort(key=lambda entry: sum(cell.size for cell in entry[1]), reverse=True)
    room = PROFILE_ROWS - BUCKETS
    rest: dict[int, Cell] = {}
    for frames, cells in weighed:
        room -= len(cells)
        if room >= 0:
            yield frames, cells
            continue
        for cell in cells:
            _, size, blocks, samples = rest.get(cell.age, (cell.age, 0.0, 0.0, 0))
            rest[cell.age] = Cell(cell.age, size + cell.size, blocks + cell.blocks, samples + cell.samples)
    if rest:
        yield (REST,), rest.values()


class _Dictionary:
    """The tables that samples refer to, each entry once."""

    def __init__(self) -> None:
        self.message = ProfilesDictionary(
            mapping_table=[Mapping()],
            location_table=[Location()],
            function_table=[Function()],
            link_table=[Link()],
            string_table=[""],
            attribute_table=[KeyValueAndUnit()],
            stack_table=[Stack()],
        )
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}
        self._stacks: dict[tuple[Frame, ...], int] = {(): 0}  # a stack that is not known
        self._ages: dict[int, int] = {}

    def string(self, text: str) -> int:
        index = self._strings.get(text)
        if index is None:
            index = self._strings[text] = len(self.message.string_table)
            self.message.string_table.append(text.encode("utf-8", "replace").decode())
        return index

    def _function(self, frame: Frame) -> int:
        file, function, _ = frame
        key = (file, function)
        index = self._functions.get(key)
        if index is None:
            index = self._functions[key] = len(self.message.function_table)
            name, path = self.string(function), self.string(file)
            self.message.function_table.add(name_strindex=name, filename_strindex=path)
        return index

    def _location(self, frame: Frame) -> int:
        index = self._locations.get(frame)
        if index is None:
            function = self._function(frame)
            index = self._locations[frame] = len(self.message.location_table)
            self.message.location_table.add(lines=[Line(function_index=function, line=frame[2])])
        return index

    def stack(self, frames: tuple[Frame, ...]) -> int:
        index = self._stacks.get(frames)
        if index is None:
            locations = [self._location(frame) for frame in frames[:STACK_FRAMES]]
            index = self._stacks[frames] = len(self.message.stack_table)
            self.message.stack_table.add(location_indices=locations)
        return index

    def age(self, bucket: int) -> int:
        index = self._ages.get(bucket)
        if index is None:
            key, unit = self.string(names.PROFILE_AGE), self.string("s")
            index = self._ages[bucket] = len(self.message.attribute_table)
            self.message.attribute_table.add(
                key_strindex=key, value=any_value(AGES[bucket]), unit_strindex=unit
            )
        return index

    def value_type(self, name: str, unit: str) -> ValueType:
        return ValueType(type_strindex=self.string(name), unit_strindex=self.string(unit))
