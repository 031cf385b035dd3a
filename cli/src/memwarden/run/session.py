"""The story of one run, from the first child to the last clean-up."""

import os
from typing import Final

from memwarden import probe, voice
from memwarden.errors import CommandError
from memwarden.run import cost
from memwarden.run.app import App
from memwarden.run.backend import Backend
from memwarden.run.ending import Ending
from memwarden.run.folder import RunFolder
from memwarden.run.plan import Plan
from memwarden.run.watch import Watch
from memwarden.supervise.mailbox import Mailbox
from memwarden.terminal.status import StatusLine

_STDERR: Final = 2


def run(plan: Plan) -> int:
    """Run the command of `plan`; returns the exit code. Raises CommandError when nothing was run."""
    probe_folder = probe.probe_folder()
    with Mailbox() as mailbox, RunFolder.make() as folder:
        backend = Backend(folder, plan)
        try:
            backend.start(mailbox)
            before = usage(backend)
            variables = probe.environment(os.environ, probe_folder, backend.socket, plan.sampling_bytes)
            app = App.start(plan.executable, plan.command, variables, mailbox.mask)
            backend.app_started(app.pid)
            ended = Watch(app, backend, mailbox, StatusLine(_STDERR, wanted=not plan.quiet)).until_ended()
            used = {name: now.since(before[name]) for name, now in usage(backend).items()}
            ending = Ending(backend, mailbox, ended, app.started_at, used, list(probe.notes(probe_folder)))
            return ending.finish()
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
