"""The live view of one run or scope. All asking is done in one thread (`Looking`)."""

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from memwarden.top import lines
from memwarden.top.keys import keys_line
from memwarden.top.looking import Looking
from memwarden.top.picture import Picture, Process
from memwarden.top.table import Content, Table, style_of
from memwarden.top.targets import Target
from memwarden.top.watcher import Watcher
from memwarden.top.words import clean, command

_BADGES: Final = {
    "Leaking": "#FF7A33",
    "Growing": "#E69F00",
    "CacheFilling": "#56B4E9",
    "Fragmented": "#CC79A7",
    "Healthy": "#2BC79A",
}
_LOW: Final = 12
"""Rows below which the view shows one table, the one with the focus."""
_LONGEST_PATTERN: Final = 200
_LARGER: Final = 1.25


class View(Screen[None]):
    """One run or scope: head, processes, sites of the chosen process."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", show=False),
        Binding("q", "app.quit", show=False),
        Binding("t", "app.theme", show=False),
        Binding("b", "back", show=False),
        Binding("slash", "filter", show=False),
        Binding("escape", "clear", show=False),
        Binding("m", "sort('memory')", show=False),
        Binding("g", "sort('growth')", show=False),
        Binding("n,c", "sort('name')", show=False),
        Binding("p", "sort('pid')", show=False),
        Binding("r", "reverse", show=False),
        Binding("e", "ended", show=False),
        Binding("tab,shift+tab", "other", show=False, priority=True),
    ]

    class Seen(Message):
        """A new picture."""

        def __init__(self, picture: Picture) -> None:
            super().__init__()
            self.picture = picture

    class Left(Message):
        """Back to the list is asked for."""

    def __init__(self, target: Target, chosen_pid: int | None = None) -> None:
        super().__init__()
        self._target = target
        self._chosen_pid = chosen_pid
        self._watcher = Watcher(target)
        self._looking: Looking | None = None
        self.picture: Picture | None = None
        self._pattern = ""
        self._named = False
        """Whether --pid has chosen a process."""
        self._ended = False
        self._process_sort: lines.ProcessSort = "memory"
        self._site_sort: lines.SiteSort = "growth"
        self._reverse = {"processes": False, "sites": False}

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Table("processes")
        yield Table("sites")
        yield Input(placeholder="filter", id="filter", max_length=_LONGEST_PATTERN)
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self._processes.focus()
        if self._chosen_pid is not None and self._chosen_pid != self._target.run_pid:
            self._processes.key = str(self._chosen_pid)
            self._named = True
        self._looking = Looking(self._look)
        self._draw()

    def _look(self) -> bool:
        picture = self._watcher.look()
        self.post_message(self.Seen(picture))
        return picture.state != "ended"

    def on_unmount(self) -> None:
        if self._looking is not None:
            self._looking.end()

    def on_resize(self) -> None:
        self._draw()

    def on_view_seen(self, message: Seen) -> None:
        self.picture = message.picture
        self._draw()

    def on_table_moved(self, message: Table.Moved) -> None:
        if message.table is self._processes:
            self._draw_sites()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        if message.table is self._processes:
            self.action_other()

    def on_descendant_focus(self) -> None:
        self._draw()

    # ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _processes(self) -> Table:
        return self.query_one("#processes", Table)

    @property
    def _sites(self) -> Table:
        return self.query_one("#sites", Table)

    def _draw(self) -> None:
        width, height = self.size.width, self.size.height
        if not width or not self.is_mounted:
            return
        head = self._head(width, roomy=height >= _LOW + 4)
        self.query_one("#head", Static).update(head)
        low = height < _LOW
        self._processes.display = not low or not self._sites.has_focus
        self._sites.display = not low or self._sites.has_focus
        self._draw_processes()
        rows = len(self._processes.content.rows) or 2
        free = height - len(head.split("\n")) - 1 - int(self.query_one("#filter").display)
        self._processes.styles.height = max(3, min(rows + 3, free if low else free * 11 // 20))
        self._draw_sites()
        self._draw_keys(width)

    def _head(self, width: int, roomy: bool) -> Text:
        if self.picture is None:
            return Text(f" memwarden top  {command(self._target.command)}"[:width] + "\n Looking …")
        badge = _BADGES.get(self.picture.verdict or "", "#AAAAAA")
        dark = self.app.current_theme.dark
        text = Text(no_wrap=True, end="")
        for index, line in enumerate(lines.head(self.picture, width, roomy)):
            text.append("\n" if index else "")
            for piece, style in line:
                text.append(piece, style_of(style, dark, badge))
        return text

    def _draw_processes(self) -> None:
        picture = self.picture
        found = self._shown()
        living = sum(one.alive for one in picture.processes) if picture else 0
        title = f"Processes ({living})" + (f' matching "{clean(self._pattern)}"' if self._pattern else "")
        title += " and ended ones" if self._ended else ""
        sort, reverse = self._process_sort, self._reverse["processes"]
        empty = "No process was seen yet; the first samples come within seconds."
        if self._pattern:
            empty = "No process matches the filter; Esc clears it."
        elif picture and picture.processes:
            empty = "Every process has ended; e shows them."

        def make(width: int) -> Content:
            columns = lines.process_columns(width)
            rows = tuple((str(one.pid), lines.process_line(one, columns)) for one in found)
            return Content(title, lines.column_heads(columns, sort, reverse), rows, empty)

        self._processes.show(make)
        largest = found[0] if found and sort == "memory" and not reverse else None
        chosen = next((one for one in found if str(one.pid) == self._processes.key), None)
        untouched = not self._processes.touched and not self._named
        # Until somebody chooses, the cursor goes with the largest, but not to and fro between equals.
        if untouched and largest and chosen and _memory(largest) > _LARGER * _memory(chosen):
            self._processes.go_to(str(largest.pid))

    def _shown(self) -> list[Process]:
        """Those that match, and those with a site that does."""
        if self.picture is None:
            return []
        order = (self._process_sort, self._reverse["processes"])
        everyone = lines.processes_of(self.picture, *order, "", self._ended)
        if not self._pattern:
            return everyone
        named = {one.pid for one in lines.processes_of(self.picture, *order, self._pattern, self._ended)}
        named |= {one.pid for one in lines.sites_of(self.picture, None, "memory", False, self._pattern)}
        return [one for one in everyone if one.pid in named]

    def _draw_sites(self) -> None:
        picture = self.picture
        key = self._processes.key if self._processes.content.rows else None
        process = next((one for one in picture.processes if str(one.pid) == key), None) if picture else None
        sort, reverse = self._site_sort, self._reverse["sites"]
        pid = process.pid if process else -1
        found = lines.sites_of(picture, pid, sort, reverse, self._pattern) if picture else []
        if self._pattern and not found and picture:  # the process itself matched, not its sites
            found = lines.sites_of(picture, pid, sort, reverse, "")
        title = f"Sites of {process.pid} {command(process.command)}" if process else "Sites"
        empty = lines.no_sites(process, filtered=False)

        def make(width: int) -> Content:
            columns = lines.site_columns(width)
            rows = tuple(
                (f"{one.file}:{one.line}:{one.function}", lines.site_line(one, columns)) for one in found
            )
            return Content(title, lines.column_heads(columns, sort, reverse), rows, empty)

        self._sites.show(make)

    def _draw_keys(self, width: int) -> None:
        keys = [("?", "help"), ("q", "quit"), ("/", "filter"), ("Tab", "sites"), ("m", "memory"), ("g", "growth"),
                ("n", "name"), ("p", "pid"), ("r", "reverse"), ("e", "ended"), ("b", "list")]  # fmt: skip
        if self.query_one("#filter").has_focus:
            keys = [("Enter", "keep the filter"), ("Esc", "clear it")]
        elif self._sites.has_focus:
            keys[3] = ("Tab", "processes")
            keys.remove(("p", "pid"))
        self.query_one("#keys", Static).update(Text(keys_line(keys, width), no_wrap=True))

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────

    def action_other(self) -> None:
        if self.query_one("#filter").has_focus:
            self._processes.focus()
            return
        self._processes.touched = True  # who looks at sites has chosen
        other = self._processes if self._sites.has_focus else self._sites
        other.display = True  # in a low terminal it was hidden, and what is hidden gets no focus
        other.focus()

    def action_sort(self, order: str) -> None:
        if self._sites.has_focus:
            if order in ("memory", "growth", "name"):
                self._site_sort = order  # type: ignore[assignment] # one of its values, as just seen
        else:
            self._process_sort = order  # type: ignore[assignment] # the bindings have its values only
        self._draw()

    def action_reverse(self) -> None:
        name = "sites" if self._sites.has_focus else "processes"
        self._reverse[name] = not self._reverse[name]
        self._draw()

    def action_ended(self) -> None:
        self._ended = not self._ended
        self._draw()

    def action_back(self) -> None:
        self.post_message(self.Left())

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.value = self._pattern
        field.focus()

    def action_clear(self) -> None:
        field = self.query_one("#filter", Input)
        field.value = self._pattern = ""
        field.display = False
        if not self._sites.has_focus:
            self._processes.focus()
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._pattern = event.value.strip()
        self._draw()

    def on_input_submitted(self) -> None:
        self.query_one("#filter").display = False
        self._processes.focus()
        self._draw()


def _memory(process: Process) -> float:
    return process.memory_bytes or 0.0
