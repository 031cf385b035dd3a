"""Metrics decoded without a walk: who sends the same series sends the same bytes but times and values.

In OTLP a number point's time and value have 8 bytes each, wherever they stand. So two requests of one sender differ
in those bytes alone until it has another series or another string. The second of them is learnt: where those bytes
are (its layout), what all the others are (its skeleton), and where the ordinary decoder puts each point. A later
request with the same skeleton is one comparison, and a gather of numbers that go to the database as they are.

What is guaranteed: `decode` gives the rows that `decode_metrics` would give, or None. None is the answer to
everything that is not plain: a skeleton that is not known, a value that is not finite, a time outside the limits, two
moments in one wide row. Requests with anything rejected, cut, or not a number are never learnt. The rest follows by
construction: a request is learnt by decoding it once with the number of each point as its value, and looking where
the numbers went.

Memory is bounded by `max_template_bytes`: what was not used for longest goes, unless it was used within the last
minute. Senders that find no room are decoded by the walk. Safe to use from any thread.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memwarden_collector.batch import Attributes, Packed, ResourceBlock, ResourceId, SeriesSet, fingerprint
from memwarden_collector.clock import Now
from memwarden_collector.otlp.metrics import decode_metrics, time_limits
from memwarden_collector.settings import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.intp]

_MIN_POINTS: Final = 8
"""Below, a walk is as cheap."""
_MAX_LAYOUTS: Final = 2048
_MAX_LAYOUTS_A_LENGTH: Final = 16
_MAX_SEEN: Final = 50_000
_PREFIX: Final = 160
"""Bytes by which a sender is told from others where its resource is not found."""
_KEPT_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 60.0
"""Learning takes as long as three walks: a sender that changes all the time is not learnt each time."""
_MAX_TIME: Final = 2**63 - 1
_MARKS: Final = (0x0101010101010101, 0x4242424242424242)
"""Two numbers that differ in each byte, positive and finite also as doubles."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Where the bytes are that vary."""

    mask: "NDArray[np.uint8]"
    """255 where a byte does not vary."""
    words: "Places"
    """Offset of each point's time, then of each point's value: eight bytes from there."""
    whole: "NDArray[np.intp]"
    """Which points have an integer for a value."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wide:
    """One row of the wide table: whose, its columns, and which points they are."""

    columns: tuple[str, ...]
    points: "Places | slice"
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One resource of a template."""

    identity: ResourceId
    attributes: Attributes
    digest: bytes
    items: int
    wide: _Wide | None
    series: SeriesSet | None
    points: "Places | slice"
    """Of the series."""


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    layout: _Layout
    parts: tuple[_Part, ...]
    size: int


class Templates:
    """Of one process. `decode` a body; when it gives None, decode by the walk and let it `learn`."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._layouts: dict[int, tuple[_Layout, ...]] = {}
        self._layout_count = 0
        self._known: OrderedDict[bytes, _Template] = OrderedDict()
        self._used: dict[bytes, float] = {}
        self._bytes = 0
        self._learn_after: dict[int, float] = {}

    @property
    def size(self) -> int:
        """Bytes that all templates take, estimated."""
        return self._bytes

    def decode(self, body: bytes, now: Now) -> list[ResourceBlock] | None:
        """Blocks, or None for what only the walk can decode."""
        layouts = self._layouts.get(len(body))
        if layouts is None:
            return None
        import numpy as np

        raw = np.frombuffer(body, dtype=np.uint8)
        for layout in layouts:
            skeleton = (raw & layout.mask).tobytes()
            template = self._known.get(skeleton)
            if template is not None and template.layout is layout:
                self._touch(skeleton)
                return _fill(template, body, time_limits(self._limits, now))
        return None

    def learn(self, body: bytes, request: ExportMetricsServiceRequest, now: Now) -> None:
        """Remember a request that the walk has decoded. What is told for the first time is only noted."""
        if not self._limits.max_template_bytes or not self._comes_again(body):
            return
        with self._lock:
            learnt = _learn(body, request, self._limits, now, self._layouts.get(len(body), ()))
            if learnt is not None:
                self._keep(*learnt)

    def _comes_again(self, body: bytes) -> bool:
        """Whether its sender was seen before, and nothing was learnt of it lately."""
        mark, now = hash((len(body), body[: _first_resource(body)])), self._monotonic()
        with self._lock:
            after = self._learn_after.get(mark)
            if len(self._learn_after) >= _MAX_SEEN:
                self._learn_after.clear()
            again = after is not None and now >= after
            self._learn_after[mark] = now + _AGAIN_SECONDS if again else now if after is None else after
        return again

    def _touch(self, skeleton: bytes) -> None:
        with self._lock:
            if skeleton in self._known:
                self._known.move_to_end(skeleton)
                self._used[skeleton] = self._monotonic()

    def _keep(self, skeleton: bytes, template: _Template) -> None:
        if skeleton in self._known or not self._has_room(len(skeleton), template.layout):
            return
        now = self._monotonic()
        while self._bytes + template.size > self._limits.max_template_bytes:
            oldest = next(iter(self._known), None)
            if oldest is None or now - self._used[oldest] < _KEPT_SECONDS:
                return
            self._bytes -= self._known.pop(oldest).size
            del self._used[oldest]
        layouts = self._layouts.get(len(skeleton), ())
        if template.layout not in layouts:
            self._layouts[len(skeleton)] = (*layouts, template.layout)
            self._layout_count += 1
        self._known[skeleton] = template
        self._used[skeleton] = now
        self._bytes += template.size

    def _has_room(self, length: int, layout: _Layout) -> bool:
        """Whether the layout is there or may be added; those that nobody uses any more go first."""
        for _ in range(2):
            layouts = self._layouts.get(length, ())
            if layout in layouts:
                return True
            if len(layouts) < _MAX_LAYOUTS_A_LENGTH and self._layout_count < _MAX_LAYOUTS:
                return True
            self._forget_unused_layouts()
        return False

    def _forget_unused_layouts(self) -> None:
        used = {id(template.layout) for template in self._known.values()}
        kept = {
            length: tuple(one for one in layouts if id(one) in used)
            for length, layouts in self._layouts.items()
        }
        self._layouts = {length: layouts for length, layouts in kept.items() if layouts}
        self._layout_count = sum(map(len, self._layouts.values()))


def _fill(template: _Template, body: bytes, limits: tuple[int, int]) -> list[ResourceBlock] | None:
    """The blocks of a request whose skeleton is known."""
    import numpy as np

    layout = template.layout
    # Eight bytes from each offset, aligned or not; only those of the layout are read.
    words = np.ndarray((len(body) - 7,), "<i8", body, strides=(1,))[layout.words]
    count = len(words) // 2
    nanoseconds, newest = words[:count].view(np.uint64), min(limits[1], _MAX_TIME)
    first, last = np.minimum.reduce(nanoseconds), np.maximum.reduce(nanoseconds)
    if first < limits[0] or last > newest:
        return None
    moment = int(first) // 1000
    span = (moment, moment) if first == last else None
    times = words[:count] // 1000  # below 2**63, by the limits
    values = words[count:].view(np.float64)
    if len(layout.whole):
        values[layout.whole] = words[count:][layout.whole]
    if not np.logical_and.reduce(np.isfinite(values)):
        return None
    blocks = []
    for part in template.parts:
        block = ResourceBlock(
            part.identity, part.attributes, items=part.items, digest=part.digest, times=span
        )
        if part.wide is not None:
            if span is None:
                moments = times[part.wide.points]
                moment = int(moments[0])
                if np.logical_or.reduce(moments != moment):
                    return None
            row: dict[str, float | str] = dict(
                zip(part.wide.columns, values[part.wide.points].tolist(), strict=True)
            )
            row.update(part.wide.texts)
            block.wide[moment] = row
        if part.series is not None:
            block.packed = Packed(part.series, times[part.points], values[part.points])
        blocks.append(block)
    return blocks


def _learn(
    body: bytes, request: ExportMetricsServiceRequest, limits: Limits, now: Now, layouts: tuple[_Layout, ...]
) -> tuple[bytes, _Template] | None:
    """Skeleton and template of a request, None where it is not plain."""
    points = list(_points(request))
    if not _MIN_POINTS <= len(points) <= limits.max_points or request.SerializeToString() != body:
        return None
    marked = ExportMetricsServiceRequest.FromString(body)
    layout = _layout(body, marked)
    if layout is None:
        return None
    layout = next((one for one in layouts if _same(one, layout)), layout)
    for number, point in enumerate(_points(marked)):
        point.time_unix_nano = int(now.latest * 1e9)
        _write(point, number)
    blocks, rejections = decode_metrics(marked, limits, now)
    if rejections.message() or sum(block.items for block in blocks) != len(points):
        return None
    parts = [_part(block) for block in blocks]
    if any(part is None for part in parts) or sum(map(_placed, blocks)) != len(points):
        return None
    import numpy as np

    skeleton = (np.frombuffer(body, np.uint8) & layout.mask).tobytes()
    size = len(body) + sum(2000 + 500 * len(block.narrow) for block in blocks)
    return skeleton, _Template(layout, tuple(part for part in parts if part is not None), size)


def _layout(body: bytes, message: ExportMetricsServiceRequest) -> _Layout | None:
    """Where times, start times and values are: where the bytes differ when they do."""
    import numpy as np

    points = list(_points(message))
    starts = [bool(point.start_time_unix_nano) for point in points]
    whole = np.array([point.WhichOneof("value") == "as_int" for point in points], dtype=np.bool_)

    def marked(time: int, start: int, value: int) -> "NDArray[np.uint8]":
        for point, has_start in zip(points, starts, strict=True):
            point.time_unix_nano = time
            if has_start:
                point.start_time_unix_nano = start
            _write(point, value)
        return np.frombuffer(message.SerializeToString(), np.uint8)

    one, other = _MARKS
    plain = marked(one, one, one)
    if len(plain) != len(body):
        return None
    times, values = (
        np.flatnonzero(plain != changed) for changed in (marked(other, one, one), marked(one, one, other))
    )
    start_places = np.flatnonzero(plain != marked(one, other, one))
    if len(times) != 8 * len(points) or len(values) != 8 * len(points):
        return None
    mask = np.full(len(body), 255, np.uint8)
    for places in (times, values, start_places):
        mask[places] = 0
    return _Layout(mask, np.concatenate((times[::8], values[::8])), np.flatnonzero(whole))


def _same(one: _Layout, other: _Layout) -> bool:
    import numpy as np

    pairs = ((one.words, other.words), (one.whole, other.whole), (one.mask, other.mask))
    return all(np.array_equal(left, right) for left, right in pairs)


def _part(block: ResourceBlock) -> _Part | None:
    """A block whose values are the numbers of its points; None where it has more than one wide row or no number."""

    if block.distributions or block.profiles or len(block.wide) > 1:
        return None
    wide = None
    for row in block.wide.values():
        numbers = {name: int(value) for name, value in row.items() if not isinstance(value, str)}
        texts = tuple((name, value) for name, value in row.items() if isinstance(value, str))
        wide = _Wide(tuple(numbers), _places(list(numbers.values())), texts)
    series = None
    if block.narrow:
        order = tuple(one for _, one, _ in block.narrow)
        infos = tuple(block.series[one] for one in order)
        series = SeriesSet(fingerprint(block.identity.fp.hex(), *(one[1:] for one in order)), order, infos)
    points = _places([int(value) for _, _, value in block.narrow])
    return _Part(
        block.identity, block.attributes, fingerprint(block.attributes), block.items, wide, series, points
    )


def _places(numbers: list[int]) -> "Places | slice":
    """A slice where they follow one another: that is cheaper to take."""
    import numpy as np

    if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return slice(numbers[0], numbers[0] + len(numbers))
    return np.array(numbers, np.intp)


def _placed(block: ResourceBlock) -> int:
    """Points that are in its rows: fewer than came where one was written over another."""
    return len(block.narrow) + sum(
        1 for row in block.wide.values() for value in row.values() if not isinstance(value, str)
    )


def _write(point: Any, value: int) -> None:
    """A value of the same kind: an integer, or the double with its bits for marks, the number itself else."""
    if point.WhichOneof("value") == "as_int":
        point.as_int = value
    else:
        point.as_double = _as_double(value) if value in _MARKS else float(value)


def _as_double(bits: int) -> float:
    import struct

    found: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return found


def _first_resource(body: bytes) -> int:
    """Offset of the end of the first resource's attributes: the first field of the first field of a request."""
    place = end = 0
    for _ in range(2):
        if body[place : place + 1] != b"\x0a":
            return _PREFIX
        place, length, shift = place + 1, 0, 0
        while shift < 35 and place < len(body):
            byte = body[place]
            length |= (byte & 127) << shift
            place, shift = place + 1, shift + 7
            if byte < 128:
                break
        end = place + length
    return end


def _points(request: ExportMetricsServiceRequest) -> Iterator[Any]:
    """All number points; one of another kind ends it, so that the count tells."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind in ("gauge", "sum"):
                    yield from getattr(metric, kind).data_points
