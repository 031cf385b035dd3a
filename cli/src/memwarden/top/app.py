"""`memwarden top` in a terminal: which screen comes after which."""

from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from memwarden.top.choice import Choice
from memwarden.top.keys import Help
from memwarden.top.targets import Origin
from memwarden.top.view import View


class TopApp(App[int]):
    """The whole view; the first screen asks which run, where there are several."""

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
        self._origin = origin
        self._chosen_pid = chosen_pid

    def on_mount(self) -> None:
        self.push_screen(Choice(self._origin, open_the_only=True))

    def on_choice_picked(self, message: Choice.Picked) -> None:
        # The process named by --pid counts once: the cursor starts there.
        chosen, self._chosen_pid = self._chosen_pid, None
        self.switch_screen(View(message.target, chosen))

    def on_view_left(self) -> None:
        self.switch_screen(Choice(self._origin, open_the_only=False))

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_theme(self) -> None:
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"
