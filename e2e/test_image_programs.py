"""The programs of the images that are written in C, as they are built there."""

import shutil
import subprocess
from pathlib import Path

import pytest
from harness import ROOT

LOOK = ROOT / "images" / "sidecar" / "look.c"


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, as the image of the sidecar does")
    program = tmp_path_factory.mktemp("look") / "look"
    subprocess.run(["gcc", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, LOOK], check=True)
    return program


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        ("", None),
        (" : ", None),
        ("/usr/lib/libjemalloc.so.2", "LD_PRELOAD=/usr/lib/libjemalloc.so.2"),
        ("/a.so:/b.so", "LD_PRELOAD=/a.so:/b.so"),
        ("/" * 5000, "LD_PRELOAD=" + "/" * 388),
    ],
)
def test_what_an_image_preloads_is_left_as_last_words(
    look: Path, tmp_path: Path, value: str | None, said: str | None
) -> None:
    log = tmp_path / "termination-log"
    environment = {} if value is None else {"LD_PRELOAD": value}
    ended = subprocess.run([look, log], env=environment, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert (log.read_text() if log.exists() else None) == said


def test_where_nothing_can_be_left_the_app_starts_all_the_same(look: Path, tmp_path: Path) -> None:
    environment = {"LD_PRELOAD": "/a.so"}
    assert (
        subprocess.run([look, tmp_path / "no" / "log"], env=environment, timeout=60, check=False).returncode
        == 0
    )
