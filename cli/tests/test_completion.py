"""Completion: what bash offers is asked of bash itself; zsh and fish are in test_completion_shells.py."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from memwarden.commands import COMMANDS
from memwarden.commands.completion import SHELLS, words


def script(shell: str) -> str:
    return SHELLS[shell](words())


def offered(*typed: str) -> Sequence[str]:
    """What bash would offer for the last of the words."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _memwarden; printf "%s\\n" "${COMPREPLY[@]}"'
    command = ["bash", "--norc", "-c", f"{script('bash')}\n{ask}", "bash", "memwarden", *typed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    return done.stdout.split()


def test_verbs() -> None:
    assert {verb.name for verb in COMMANDS} < set(offered(""))
    assert list(offered("comp")) == ["completion"]


def test_options_of_a_verb() -> None:
    assert {"--max-growth", "--memory-limit"} == set(offered("run", "--m"))
    assert "--max-growth" not in offered("why", "--")


def test_values() -> None:
    assert list(offered("completion", "z")) == ["zsh"]
    assert set(offered("report", "--format", "")) >= {"html", "md", "json"}
    assert list(offered("run", "--interval", "")) == [], "a time is the user's to say"


def test_behind_the_separator_it_is_the_users_command() -> None:
    assert "bash" in offered("run", "--fail-on", "leak", "--", "bas")
    assert "--max-growth" not in offered("run", "--", "python", "--m")


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_verb_and_option_is_in_every_script(shell: str) -> None:
    made = script(shell)
    for verb in words():
        assert verb.name in made
        for name in (name for option in verb.options for name in option.names if name.startswith("--")):
            assert (f"-l {name[2:]} " if shell == "fish" else name) in made


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_the_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    file = tmp_path / "script"
    file.write_text(script(shell))
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_printed_by_the_command() -> None:
    command = [sys.executable, "-P", "-m", "memwarden", "completion", "fish"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout == script("fish")
