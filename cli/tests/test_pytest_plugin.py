"""`pytest --memwarden`, as users run it: in a process of its own, on a folder of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

TESTS = """
    import pytest

    kept = []

    @pytest.mark.memwarden(max_growth="1MiB")
    def test_keeps():
        kept.append(bytearray(3_000_000))

    @pytest.mark.memwarden(max_growth="1MiB")
    def test_gives_back():
        bytearray(3_000_000)

    @pytest.mark.memwarden(max_growth="1MiB")
    def test_cycle_is_collected():
        cycle = [bytearray(3_000_000)]
        cycle.append(cycle)

    @pytest.mark.memwarden(max_growth="4MiB")
    def test_keeps_less_than_it_may():
        kept.append(bytearray(3_000_000))

    def test_unmarked():
        kept.append(b"x" * 20_000_000)
"""


def run(folder: Path, text: str, *words: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(textwrap.dedent(text))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "memwarden.pytest_plugin",
        "-p",
        "no:cacheprovider",
        *words,
    ]
    # Without the installed plug-ins: this one may be among them, and none may come twice.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_what_lives_on_is_counted_and_the_line_is_named(tmp_path: Path) -> None:
    code, said = run(tmp_path, TESTS, "--memwarden", "--junit-xml=r.xml")
    assert code == 1
    assert "1 failed, 4 passed" in said, said
    assert "3 MB live after this test, the limit is 1MiB; most of it from " in said
    assert "test_it.py:8 3 MB" in said
    assert "memory left behind by tests" in said
    assert "anonymous memory  test_it.py::test_unmarked" in said
    cases = {case.attrib["name"]: case for case in ElementTree.parse(tmp_path / "r.xml").iter("testcase")}
    values = {name: int(case.find(".//property").attrib["value"]) for name, case in cases.items()}  # type: ignore[union-attr]
    assert 3_000_000 <= values["test_keeps"] < 3_500_000
    assert values["test_gives_back"] < 500_000
    assert values["test_cycle_is_collected"] < 500_000
    assert values["test_unmarked"] > 15_000_000


def test_without_the_option_nothing_is_measured_and_the_marker_is_known(tmp_path: Path) -> None:
    code, said = run(tmp_path, TESTS, "--strict-markers")
    assert code == 0, said
    assert "memory left behind" not in said


@pytest.mark.parametrize(
    "marker", ['"1MiB"', "max_growth=5", 'max_growth="much"', 'max_growth="1MiB", other=1', ""]
)
def test_a_marker_that_makes_no_sense_fails_its_test(tmp_path: Path, marker: str) -> None:
    code, said = run(
        tmp_path, f"import pytest\n@pytest.mark.memwarden({marker})\ndef test_it(): pass\n", "--memwarden"
    )
    assert code == 1
    assert "max_growth" in said
    assert "INTERNALERROR" not in said


def test_a_failure_of_the_test_stays_the_tests(tmp_path: Path) -> None:
    text = 'import pytest\n@pytest.mark.memwarden(max_growth="1kB")\ndef test_it(): assert 1 == 2\n'
    code, said = run(tmp_path, text, "--memwarden")
    assert code == 1
    assert "assert 1 == 2" in said
    assert "live after this test" not in said


def test_a_trace_that_was_there_before_goes_on(tmp_path: Path) -> None:
    text = """
        import tracemalloc, pytest

        @pytest.mark.memwarden(max_growth="1MiB")
        def test_first(): pass

        def test_second(): assert tracemalloc.is_tracing()
    """
    (tmp_path / "conftest.py").write_text("import tracemalloc\ntracemalloc.start()\n")
    code, said = run(tmp_path, text, "--memwarden")
    assert code == 0, said
