"""A list of lines with a cursor that stays on its row however the rows move. The lines come from a function of the
width, so that the same text serves a terminal of any size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from memwarden.top import lines
from memwarden.top.words import cells, fit

Row = tuple[str, lines.Line]
_HEADS: Final = 2
_ARROW: Final = "› "


@dataclass(frozen=True, slots=True)
class Content:
    """What a table shows at one width; each row has a key that stays the same while it is about the same thing."""

    title: str
    heads: lines.Line
    rows: tuple[Row, ...]
    empty: str
    """Shown when there are no rows: why, and what to do."""


def style_of(name: lines.Style, dark: bool, badge: str = "") -> Style:
    """How a style looks. The colours are from Okabe and Ito's set, which colour-blind people can tell apart."""
    if name == "verdict":
        return Style(bold=True, color="#000000", bgcolor=badge or "#999999")
    return {
        "": Style(),
        "title": Style(bold=True),
        "dim": Style(dim=True),
        "strong": Style(bold=True),
        "growing": Style(bold=True, color="#E69F00" if dark else "#9A5B00"),
        "notice": Style(bold=True, color="#000000", bgcolor="#F0E442"),
    }[name]


class Table(Widget, can_focus=True):
    """Title, column heads, rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: "Table") -> None:
            super().__init__()
            self.table = table

    class Chosen(Message):
        """Enter, or a second click."""

        def __init__(self, table: "Table", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    def __init__(self, identity: str) -> None:
        super().__init__(id=identity)
        self._make: Callable[[int], Content] | None = None
        self.content = Content("", (), (), "")
        self.key: str | None = None
        """Of the row with the cursor."""
        self.touched = False
        """Whether somebody has moved the cursor."""
        self._at = 0
        self._top = 0

    def show(self, make: Callable[[int], Content]) -> None:
        """Show what `make` returns for the width of the table, now and at each change of the width."""
        self._make = make
        self._remake()

    def go_to(self, key: str) -> None:
        """Put the cursor on the row of this key once it is there."""
        self.key = key
        self._remake()

    def _remake(self) -> None:
        if self._make is None or self.size.width == 0:
            return
        self.content = self._make(self.size.width)
        keys = [key for key, _ in self.content.rows]
        before = self.key
        if self.key in keys:
            self._at = keys.index(self.key)
        elif keys:  # without rows it is remembered: they may come back
            self._at = min(self._at, len(keys) - 1)
            self.key = keys[self._at]
        self._scroll()
        self.refresh()
        if self.key != before:
            self.post_message(self.Moved(self))

    def on_resize(self) -> None:
        self._remake()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, steps: int) -> None:
        rows = self.content.rows
        if not rows:
            return
        self.touched = True
        self._at = max(0, min(len(rows) - 1, self._at + steps))
        self.key = rows[self._at][0]
        self._scroll()
        self.refresh()
        self.post_message(self.Moved(self))

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self._room - 1))

    def action_choose(self) -> None:
        if self.key is not None and self.content.rows:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        index = self._top + event.y - _HEADS
        if event.y >= _HEADS and index < len(self.content.rows):
            again = index == self._at
            self.action_move(index - self._at)
            if again and event.chain > 1:
                self.action_choose()

    def on_mouse_scroll_down(self) -> None:
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-1)

    @property
    def _room(self) -> int:
        return max(1, self.size.height - _HEADS)

    def _scroll(self) -> None:
        """As little as keeps the cursor in sight, and no empty space below."""
        self._top = max(self._at - self._room + 1, min(self._top, self._at))
        self._top = max(0, min(self._top, len(self.content.rows) - self._room))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        content = self.content
        if y == 0:
            return self._title(width)
        if not content.rows:
            wrapped = wrap(content.empty, max(4, width - 3))
            text = wrapped[y - 1] if y - 1 < len(wrapped) else ""
            return self._strip(((f"  {text}", "dim"),), width, Style())
        if y == 1:
            return self._strip((("  ", ""), *content.heads), width, Style())
        index = self._top + y - _HEADS
        if index >= len(content.rows):
            return Strip.blank(width, self.rich_style)
        chosen = index == self._at
        look = Style(reverse=True) if chosen and self.has_focus else Style(bold=chosen or None)
        return self._strip(((_ARROW if chosen else "  ", ""), *content.rows[index][1]), width, look)

    def _title(self, width: int) -> Strip:
        """A rule with the title in it, heavy where the keys go to, and how much is out of sight."""
        rule = "━" if self.has_focus else "─"
        hidden = len(self.content.rows) - self._room
        place = f" {self._at + 1}/{len(self.content.rows)} {rule}" if hidden > 0 and width >= 30 else ""
        title = fit(f"{rule} {self.content.title} ", max(1, width - cells(place)), pad=False)
        line = title + rule * (width - cells(title) - cells(place)) + place
        return self._strip(((line, "strong" if self.has_focus else "dim"),), width, Style())

    def _strip(self, line: lines.Line, width: int, look: Style) -> Strip:
        dark = self.app.current_theme.dark
        base = self.rich_style
        segments = [
            # The cursor's look is the same in each column: a colour turned over would be hard to read.
            Segment(text, base + look if look.reverse else base + style_of(style, dark) + look)
            for text, style in line
        ]
        return Strip(segments).adjust_cell_length(width, base + look)


def wrap(text: str, width: int) -> list[str]:
    """Lines of a text; a line break in it is kept."""
    import textwrap

    return [one for part in text.split("\n") for one in textwrap.wrap(part, width) or [""]]
