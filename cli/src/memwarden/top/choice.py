"""The list of runs and scopes, and what to do when there is none."""

import time
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from memwarden.api import ApiError
from memwarden.top import lines
from memwarden.top.keys import keys_line
from memwarden.top.looking import Looking
from memwarden.top.table import Content, Table
from memwarden.top.targets import NEXT_STEP, Origin, RunsHere, Target
from memwarden.top.words import clean, command, fit


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

    class Picked(Message):
        """The one to look at."""

        def __init__(self, target: Target) -> None:
            super().__init__()
            self.target = target

    def __init__(self, origin: Origin, *, open_the_only: bool) -> None:
        super().__init__()
        self._origin = origin
        self._open_the_only = open_the_only
        self._targets: dict[str, Target] = {}
        self._looking: Looking | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Table("targets")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self._draw("Looking …")
        self._looking = Looking(self._look)

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
        self.post_message(self.Picked(target))


def _target_line(target: Target, columns: list[lines.Column]) -> lines.Line:
    name = str(target.run_pid) if target.run_pid is not None else clean(target.scope)
    told = {
        "STARTED": time.strftime("%H:%M:%S", time.localtime(target.started_at)),
        "RUN": name,
        "COMMAND": command(target.command) + (f"  on {clean(target.host)}" if target.host else ""),
    }
    return tuple((fit(told[one.title], one.width) + " ", "") for one in columns)
