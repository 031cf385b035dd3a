"""The live view. All asking is done in one thread (`_Looking`); the screen only ever draws what came last."""

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from memwarden.api import ApiError
from memwarden.top import lines
from memwarden.top.picture import Picture, Process
from memwarden.top.table import Content, Table, style_of
from memwarden.top.targets import NEXT_STEP, Origin, RunsHere, Target
from memwarden.top.watcher import EVERY_SECONDS, Watcher
from memwarden.top.words import cells, clean, command, fit

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

HELP: Final = """\
● inside   its allocation sites are known
○ outside  memory only; the lower table says why
Growth of a process: of its floors, last 5 minutes;
"steady" is too little to tell. The head is the judge's.

↑ ↓ PgUp PgDn Home End   move the cursor
Tab      processes or sites
Enter    to the sites of the process

Order of the table with the cursor:
m  memory    g  growth    n  name
p  pid       r  the other way round

/  filter by command, pid, file, function
Esc  clear the filter
e  ended processes too
t  dark or light
b  back to the list of runs
q  quit\
"""


class _Looking:
    """Calls `look` again and again in a thread, at most once a second; the screen is never waited for."""

    def __init__(self, look: Callable[[], bool]) -> None:
        self._look = look
        self._over = threading.Event()
        threading.Thread(target=self._work, daemon=True, name="memwarden-top").start()

    def end(self) -> None:
        self._over.set()

    def _work(self) -> None:
        """Until `end`, or until `look` says that there is nothing more to see."""
        while not self._over.is_set() and self._look():
            self._over.wait(EVERY_SECONDS)


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,escape,q,enter", "dismiss", show=False),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(Text(HELP))

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title = "Keys"
        box.border_subtitle = "Esc closes"


class Choice(Screen[None]):
    """Which of several; and, when there is none, what to do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", show=False),
        Binding("q,escape", "app.quit", show=False),
        Binding("t", "app.theme", show=False),
    ]

    class Found(Message):
        """What there is, or why that is not known."""

        def __init__(self, targets: list[Target], trouble: str) -> None:
            super().__init__()
            self.targets = targets
            self.trouble = trouble

    def __init__(self, origin: Origin, *, open_the_only: bool) -> None:
        super().__init__()
        self._origin = origin
        self._open_the_only = open_the_only
        self._targets: dict[str, Target] = {}
        self._looking: _Looking | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Table("targets")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self._draw("Looking …")
        self._looking = _Looking(self._look)

    def on_unmount(self) -> None:
        if self._looking is not None:
            self._looking.end()

    def on_resize(self) -> None:
        self.query_one("#keys", Static).update(
            Text(
                keys_line([("↑↓", "move"), ("Enter", "open"), ("?", "help"), ("q", "quit")], self.size.width)
            )
        )

    def _look(self) -> bool:
        try:
            self.post_message(self.Found(self._origin.find(), ""))
        except ApiError as error:
            self.post_message(self.Found([], f"The collector can't be asked: {clean(error)}. Trying again."))
        return True

    def on_choice_found(self, message: Found) -> None:
        self._targets = {target.scope: target for target in message.targets}
        if self._open_the_only and len(message.targets) == 1:
            self._open(message.targets[0])
            return
        if len(message.targets) > 1:
            self._open_the_only = False  # somebody may be choosing
        self._draw(message.trouble or self._empty())

    def _empty(self) -> str:
        if isinstance(self._origin, RunsHere) and self._origin.pid is None:
            return (
                f"No run of yours is under way here.\n\nStart one in another terminal:\n  {NEXT_STEP}\n\n"
                "It will be shown here as soon as it runs."
            )
        sentence = self._origin.empty
        return f"{sentence[0].upper()}{sentence[1:]}."

    def _draw(self, empty: str) -> None:
        self.query_one("#head", Static).update(Text(" memwarden top", style="bold", no_wrap=True))
        targets = list(self._targets.values())

        def make(width: int) -> Content:
            columns = [
                lines.Column("STARTED", 9),
                lines.Column("RUN", 24 if width >= 70 else 9, numeric=False),
            ]
            if width < 40:
                columns = columns[1:]
            rest = max(1, width - 3 - sum(one.width + 1 for one in columns))
            columns.append(lines.Column("COMMAND", rest, numeric=False))
            rows = tuple((target.scope, _target_line(target, columns)) for target in targets)
            return Content(
                "Which one?" if rows else "Nothing to see yet",
                lines.column_heads(columns, "", False),
                rows,
                empty,
            )

        self.query_one(Table).show(make)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        target = self._targets.get(message.key)
        if target is not None:
            self._open(target)

    def _open(self, target: Target) -> None:
        self.app.switch_screen(View(target))


def _target_line(target: Target, columns: list[lines.Column]) -> lines.Line:
    name = str(target.run_pid) if target.run_pid is not None else clean(target.scope)
    told = {
        "STARTED": time.strftime("%H:%M:%S", time.localtime(target.started_at)),
        "RUN": name,
        "COMMAND": command(target.command) + (f"  on {clean(target.host)}" if target.host else ""),
    }
    return tuple((fit(told[one.title], one.width) + " ", "") for one in columns)


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

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self._watcher = Watcher(target)
        self._looking: _Looking | None = None
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
        self._look_for(self._target)
        self._draw()

    def _look_for(self, target: Target) -> None:
        chosen = self.app.take_chosen_pid() if isinstance(self.app, TopApp) else None
        if chosen is not None and chosen != target.run_pid:
            self._processes.key = str(chosen)
            self._named = True
        self._looking = _Looking(self._look)

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
        if isinstance(self.app, TopApp):
            self.app.switch_screen(Choice(self.app.origin, open_the_only=False))

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


def keys_line(keys: list[tuple[str, str]], width: int) -> str:
    """As many keys as fit."""
    line = ""
    for key, what in keys:
        word = f" {key} {what} "
        if cells(line) + cells(word) > width:
            break
        line += word
    return line


class TopApp(App[int]):
    """`memwarden top` in a terminal."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "memwarden top"
    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    #head { height: auto; text-wrap: nowrap; }
    #processes { height: 8; }
    #sites, #targets { height: 1fr; }
    #filter { height: 1; border: none; padding: 0 1; }
    #filter:focus { border: none; }
    #keys { height: 1; color: $text-muted; background: $panel; text-wrap: nowrap; }
    Help { align: center middle; }
    #help {
        width: 60; max-width: 100%; height: auto; max-height: 100%;
        border: round $foreground; padding: 0 1; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit", show=False, priority=True)]

    def __init__(self, origin: Origin, *, chosen_pid: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.origin = origin
        self._chosen_pid = chosen_pid

    def take_chosen_pid(self) -> int | None:
        """The process named by --pid, once: the cursor starts there."""
        pid, self._chosen_pid = self._chosen_pid, None
        return pid

    def on_mount(self) -> None:
        self.push_screen(Choice(self.origin, open_the_only=True))

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_theme(self) -> None:
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"
