"""The loader is held to what it promises every program of a container, and what breaks the promise is found."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))
import native_objects


def test_the_loader_keeps_its_promises(loader):
    assert native_objects.faults(Path(loader)) == []


@pytest.mark.parametrize(
    ("source", "options", "fault"),
    [
        ("int mine;", ["-nostdlib"], "exports mine"),
        ("", ["-Wl,--no-as-needed"], "needs the library libc.so.6"),
        ("int other(void); static int (*volatile call)(void) = other;", ["-nostdlib"], "asks for other"),
        ("", ["-nostdlib", "-Wl,-z,execstack"], "does not say that its stack holds no code"),
        ("", ["-nostdlib", "-Wl,-z,initfirst"], "is started before the C library"),
    ],
)
def test_what_breaks_one_is_named(compiled, tmp_path, loader, source, options, fault):
    more = "__attribute__((used)) static int unused;\n"
    made = compiled(more + source, "cc", "-shared", "-fPIC", *options)
    folder = tmp_path / "objects"
    folder.mkdir()
    named = made.rename(folder / Path(loader).name)

    assert fault in "\n".join(native_objects.faults(named))
