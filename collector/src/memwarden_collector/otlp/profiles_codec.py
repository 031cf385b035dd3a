"""The proto of profiles, `profiles.v1development` in the dictionary form of opentelemetry-proto 1.45.

That proto is not stable: this module alone knows its fields. It gives plain views with every index checked;
an index outside of its table raises BadAttributes and takes the profile with it, not the request.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)
from opentelemetry.proto.profiles.v1development.profiles_pb2 import Profile, ProfilesDictionary

from memwarden_collector.batch import Attributes, Json, Line
from memwarden_collector.otlp.attributes import AttributeReader, BadAttributes
from memwarden_collector.otlp.rejections import Rejections
from memwarden_collector.settings import Limits

_MAX_LINE = 2**31 - 1
# Of all requests: 16 MiB at most, with names of four bytes a letter.
_REMEMBERED: Final = 16_384
_REMEMBERED_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class ProfileView:
    """One Profile: its type's name, its time in Unix nanoseconds, its number of samples."""

    type: str
    time: int
    size: int
    message: Profile

    def samples(self) -> Iterator[tuple[int, tuple[int, ...], int]]:
        """Stack and attributes as indices, and the value; raises BadAttributes where there is not one."""
        for sample in self.message.samples:
            values = sample.values
            if len(values) != 1:
                raise BadAttributes("values", f"a sample has {len(values)} values, not one")
            yield sample.stack_index, tuple(sample.attribute_indices), values[0]


@dataclass(frozen=True, slots=True)
class ResourceView:
    attributes: Attributes
    profiles: list[ProfileView]


class ProfilesRequest:
    """A parsed request."""

    def __init__(self, message: ExportProfilesServiceRequest, limits: Limits, rejections: Rejections) -> None:
        self._message = message
        self._limits = limits
        self._rejections = rejections
        strings = list(self._message.dictionary.string_table)
        self.reader = AttributeReader(limits, rejections, strings)
        self.stacks = StackReader(self._message.dictionary, self.reader, limits, rejections)

    def resources(self) -> Iterator[ResourceView]:
        """Resources with their profiles; what has bad attributes or a bad type is counted as rejected."""
        limits = self._limits
        for resource in self._message.resource_profiles:
            profiles = [profile for scope in resource.scope_profiles for profile in scope.profiles]
            try:
                attributes = self.reader.read(
                    resource.resource.attributes, limits.max_resource_attributes, "max_resource_attributes"
                )
            except BadAttributes as bad:
                self._rejections.reject(bad.reason, f"resource: {bad.text}", len(profiles))
                continue
            yield ResourceView(attributes, list(self._views(profiles)))

    def attribute(self, index: int) -> tuple[str, Json]:
        """Key and value of the attribute table; raises BadAttributes."""
        table = self._message.dictionary.attribute_table
        if not 0 <= index < len(table):
            raise BadAttributes("bad_index", f"attribute index {index} is outside the table of {len(table)}")
        return self.reader.string(table[index].key_strindex), self.reader.value(table[index].value)

    def _views(self, profiles: list[Profile]) -> Iterator[ProfileView]:
        for profile in profiles:
            try:
                name = self.reader.string(profile.sample_type.type_strindex)
            except BadAttributes as bad:
                self._rejections.reject(bad.reason, bad.text)
                continue
            yield ProfileView(name, profile.time_unix_nano, len(profile.samples), profile)


class StackReader:
    """Stacks of the dictionary, by index. Frames are read once, hashes are made of the hashes of
    locations.
    """

    def __init__(
        self, dictionary: ProfilesDictionary, reader: AttributeReader, limits: Limits, rejections: Rejections
    ) -> None:
        # Asking a message for its table makes an object each time.
        self._stack_table = dictionary.stack_table
        self._location_table = dictionary.location_table
        self._function_table = dictionary.function_table
        self._reader = reader
        self._depth = limits.max_stack_depth
        self._rejections = rejections
        self._locations: dict[int, tuple[Line, ...]] = {}
        self._digests: dict[int, bytes] = {}
        """Of locations."""
        self._functions: dict[int, tuple[str, str]] = {}
        self._checked: dict[int, bytes] = {}

    def check(self, indices: Iterable[int]) -> None:
        """Raises BadAttributes for an index outside of a table, a line or a name that can't be stored."""
        checked = self._checked
        for index in indices:
            if index not in checked:
                checked[index] = self._digest(index)

    def fingerprints(self, indices: Sequence[int]) -> list[bytes]:
        """For each 16 bytes that stand for the stack's files, lines and functions; of stacks that were checked."""
        return [self._checked[index] for index in indices]

    def frames(self, index: int) -> tuple[Line, ...]:
        """Innermost first, at most `max_stack_depth`."""
        locations = self._stack(index)[: self._depth]
        return tuple([line for location in locations for line in self._locations[location]][: self._depth])

    def _stack(self, index: int) -> tuple[int, ...]:
        """All of its locations."""
        table = self._stack_table
        if not 0 <= index < len(table):
            raise BadAttributes("bad_index", f"stack index {index} is outside the table of {len(table)}")
        return tuple(table[index].location_indices)

    def _digest(self, index: int) -> bytes:
        locations = self._stack(index)
        if len(locations) > self._depth:
            self._rejections.warn("stack_depth", f"a stack was cut to max_stack_depth={self._depth} frames")
            locations = locations[: self._depth]
        digests = self._digests
        try:
            parts = b"".join(map(digests.__getitem__, locations))
        except KeyError:
            for location in locations:
                if location not in digests:
                    digests[location] = self._location(location)
            parts = b"".join(map(digests.__getitem__, locations))
        return hashlib.blake2b(parts, digest_size=16).digest()

    def _location(self, index: int) -> bytes:
        """Reads it; the hash of its lines."""
        table = self._location_table
        if not 0 <= index < len(table):
            raise BadAttributes("bad_index", f"location index {index} is outside the table of {len(table)}")
        location = table[index]
        found = location.lines if len(location.lines) <= self._depth else location.lines[: self._depth]
        lines = tuple([self._line(line.function_index, line.line) for line in found])
        if not lines and index:
            # Not symbolised: the address is all that is known.
            lines = (("", 0, f"0x{location.address:x}"),)
        self._locations[index] = lines
        if len(lines) == 1 and len(lines[0][0]) + len(lines[0][2]) <= _REMEMBERED_TEXT:
            return _known_hash(lines[0])
        return _hash(lines)

    def _line(self, function_index: int, line: int) -> Line:
        known = self._functions.get(function_index)
        if known is None:
            known = self._functions[function_index] = self._function(function_index)
        if not 0 <= line <= _MAX_LINE:
            raise BadAttributes("bad_line", f"a line number is not from 0 to {_MAX_LINE}")
        return known[0], line, known[1]

    def _function(self, index: int) -> tuple[str, str]:
        table, read = self._function_table, self._reader
        if not 0 <= index < len(table):
            raise BadAttributes("bad_index", f"function index {index} is outside the table of {len(table)}")
        function = table[index]
        return (
            read.text(read.string(function.filename_strindex)),
            read.text(read.string(function.name_strindex)),
        )


def _hash(lines: tuple[Line, ...]) -> bytes:
    return hashlib.blake2b(repr(lines).encode("utf-8", "surrogatepass"), digest_size=16).digest()


@lru_cache(_REMEMBERED)
def _known_hash(line: Line) -> bytes:
    """A program's profiles have the same lines again and again."""
    return _hash((line,))


def profiles_response(rejections: Rejections) -> ExportProfilesServiceResponse:
    """The answer to a request that was taken, as a whole or in part."""
    response = ExportProfilesServiceResponse()
    if message := rejections.message():
        response.partial_success.rejected_profiles = rejections.count
        response.partial_success.error_message = message
    return response
