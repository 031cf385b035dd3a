"""Which runs are under way here: each says in its own folder (mode 0700) how its collector is reached."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Final

from memwarden.api import Api
from memwarden.run.folder import PREFIX, root

FILE: Final = "run.json"


def announce(folder: Path, api: Api) -> None:
    """Let other commands of the same user find this run."""
    draft = folder / f"{FILE}.draft"
    draft.touch(mode=0o600)  # it holds the token
    draft.write_text(json.dumps({"pid": os.getpid(), "api": asdict(api)}), encoding="utf-8")
    draft.rename(folder / FILE)


def api_of(pid: int) -> Api | None:
    """The collector of the run whose command has `pid`; None where there is none, or not yet."""
    for file in root().glob(f"{PREFIX}*/{FILE}"):
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            if file.stat().st_uid == os.geteuid() and said["pid"] == pid:
                return Api(**said["api"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # just ended, or not ours
    return None
