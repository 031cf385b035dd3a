"""The story of one run, from the first child to the last clean-up."""

import os
import signal
import traceback
from typing import Final

from memwarden import probe, voice
from memwarden.errors import CommandError
from memwarden.run import cost, registry
from memwarden.run.app import App
from memwarden.run.backend import Backend
from memwarden.run.death import OutOfMemory
from memwarden.run.ending import Ending
from memwarden.run.folder import RunFolder
from memwarden.run.outcome import Outcome
from memwarden.run.plan import Plan
from memwarden.run.watch import Watch
from memwarden.supervise.mailbox import FORWARDED, Mailbox
from memwarden.terminal.status import StatusLine

_STDERR: Final = 2
_TICK_SECONDS: Final = 1.0


def run(plan: Plan) -> int:
    """Run the command of `plan`; returns the exit code. Raises CommandError when nothing was run."""
    probe_folder = probe.probe_folder()
    with Mailbox() as mailbox, RunFolder.make() as folder:
        backend = Backend(folder, plan)
        try:
            backend.start(mailbox)
            registry.announce(folder.path, backend.api)
            before = usage(backend)
            memory = OutOfMemory()
            variables = probe.environment(os.environ, probe_folder, backend.socket, plan.sampling_bytes)
            app = App.start(plan.executable, plan.command, variables, mailbox.mask)
            try:
                backend.app_started(app.pid)
                status = StatusLine(_STDERR, wanted=not plan.quiet)
                ended = Watch(app, backend, mailbox, status).until_ended()
                used = {name: now.since(before[name]) for name, now in usage(backend).items()}
                notes = list(probe.notes(probe_folder))
                return Ending(backend, mailbox, ended, app.started_at, used, notes, memory).finish()
            except Exception as error:
                return _without_us(app, mailbox, error, verbose=plan.verbose)
        except CommandError as error:
            error.details = error.details or backend.logs()
            raise
        finally:
            backend.end()
            if plan.verbose and (logs := backend.logs()):
                voice.write(f"{logs}\n")


def usage(backend: Backend) -> dict[str, cost.Usage]:
    """What each part has used until now."""
    parts = {name: cost.of_family(child.pid) for name, child in backend.children.items()}
    return parts | {"command": cost.of_self()}


def _without_us(app: App, mailbox: Mailbox, error: Exception, *, verbose: bool) -> int:
    """A bug of ours neither ends the app nor hides its exit code: wait for it, pass signals on."""
    where = traceback.format_exc() if verbose else ""
    while (code := app.ended()) is None:
        received = mailbox.take(_TICK_SECONDS)
        if received is None or received.from_terminal:
            continue
        if received.number in FORWARDED:
            app.send(received.number)
        elif received.number is signal.SIGTSTP:
            mailbox.stop_like_default(received.number)
    hint = "please report it" if verbose else "run it again with --verbose to see where"
    what = f"{type(error).__name__}: {error}"
    voice.write(where)
    voice.say(f"this is a bug in memwarden, the run was not watched to its end: {what}; {hint}")
    outcome = Outcome(code, ended_by_duration=False, condition_met=False, all_honoured=False)
    return outcome.exit_code
