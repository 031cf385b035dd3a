"""The keys: what is said of them, and the line of them at the bottom of a screen."""

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from memwarden.top.words import cells

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


def keys_line(keys: list[tuple[str, str]], width: int) -> str:
    """As many keys as fit."""
    line = ""
    for key, what in keys:
        word = f" {key} {what} "
        if cells(line) + cells(word) > width:
            break
        line += word
    return line


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
