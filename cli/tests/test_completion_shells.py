"""What zsh and fish offer, asked of the shells themselves, from Debian."""

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from memwarden.commands import COMMANDS
from memwarden.commands.completion import SHELLS, words

pytestmark = pytest.mark.system
KEY_SECONDS = 60


def needed(shell: str) -> str:
    return shutil.which(shell) or pytest.skip(f"there is no {shell}; make test-system installs it")


class Fish:
    def __init__(self, folder: Path) -> None:
        self.shell = needed("fish")
        (folder / "memwarden.fish").write_text(SHELLS["fish"](words()))
        (folder / "README.md").touch()
        self.folder = folder

    def offers(self, line: str) -> list[str]:
        """What the end of the line could become."""
        command = [self.shell, "-c", 'source memwarden.fish; complete -C "$argv[1]"', line]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=True,
            timeout=KEY_SECONDS,
        )
        assert done.stderr == ""
        return [offer.partition("\t")[0] for offer in done.stdout.splitlines()]


def test_fish(tmp_path: Path) -> None:
    fish = Fish(tmp_path)
    assert {verb.name for verb in COMMANDS} <= set(fish.offers("memwarden "))
    assert fish.offers("memwarden run --m") == ["--max-growth", "--memory-limit"]
    assert fish.offers("memwarden completion z") == ["zsh"]
    assert {"html", "md"} <= set(fish.offers("memwarden report --format "))
    assert fish.offers("memwarden report READ") == ["README.md"]
    assert fish.offers("memwarden run --keep READ") == ["README.md"]
    assert fish.offers("memwarden run --interval READ") == []


def test_fish_behind_the_separator(tmp_path: Path) -> None:
    fish = Fish(tmp_path)
    assert "--color" in fish.offers("memwarden run --keep x -- ls --colo")
    assert fish.offers("memwarden run -- ls READ") == ["README.md"]
    assert "--max-growth" not in fish.offers("memwarden run -- python --m")


class Zsh:
    """An interactive zsh in a pseudo-terminal; Ctrl-X prints the line as it stands and empties it."""

    def __init__(self, folder: Path) -> None:
        (folder / "_memwarden").write_text(SHELLS["zsh"](words()))
        (folder / "README.md").touch()
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8"}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(needed("zsh"), ["zsh", "-f", "-i"], environment)
        setup = (
            "PS1=''; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep no_auto_menu; "
            'show() { print -r -- ""; print -r -- "[$BUFFER]"; BUFFER=; }; zle -N show; bindkey "^X" show; '
            "print -r -- rea''dy\n"
        )
        self.typed(setup, "ready")

    def typed(self, keys: str, until: str) -> str:
        os.write(self.terminal, keys.encode())
        seen, give_up = "", time.monotonic() + KEY_SECONDS
        while until not in seen:
            readable, _, _ = select.select([self.terminal], [], [], max(0.0, give_up - time.monotonic()))
            assert readable, f"{until!r} did not come: {seen!r}"
            seen += os.read(self.terminal, 65536).decode()
        return seen

    def completed(self, line: str) -> str:
        """What Tab makes of the line."""
        return self.typed(f"{line}\t\x18", "]").rpartition("[")[2].partition("]")[0].rstrip()

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def test_zsh(tmp_path: Path) -> None:
    needed("zsh")
    zsh = Zsh(tmp_path)
    try:
        assert zsh.completed("memwarden comp") == "memwarden completion"
        assert zsh.completed("memwarden run --max-g") == "memwarden run --max-growth"
        assert zsh.completed("memwarden completion z") == "memwarden completion zsh"
        assert zsh.completed("memwarden report --format h") == "memwarden report --format html"
        assert zsh.completed("memwarden report READ") == "memwarden report README.md"
        assert zsh.completed("memwarden run --keep READ") == "memwarden run --keep README.md"
        assert zsh.completed("memwarden run --keep x -- ls READ") == "memwarden run --keep x -- ls README.md"
        assert zsh.completed("memwarden run -- ls --max-g") == "memwarden run -- ls --max-g"
    finally:
        zsh.close()
