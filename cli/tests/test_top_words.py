"""What `memwarden top` writes and what it refuses: words, numbers, options."""

import subprocess
import sys
from typing import Any

import pytest

from memwarden.errors import Usage
from memwarden.top import lines, targets
from memwarden.top.growth import growth_of
from memwarden.top.words import bar, cells, fit, growth, span, spans, sparkline


def test_growth_is_of_the_floors() -> None:
    seconds = [float(second) for second in range(120)]
    assert growth_of(seconds, [1e6 * second for second in seconds]) == pytest.approx(1e6, rel=0.01)
    sawtooth = [5e7 + 4e6 * (second % 10) for second in seconds]
    assert abs(growth_of(seconds, sawtooth) or 0.0) < 1e5
    assert growth_of(seconds[:5], sawtooth[:5]) is None
    assert growth_of([], []) is None


def test_words() -> None:
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("/a/long/path.py", 8, "end") == "…path.py"
    assert [cells(fit("漢字漢字", width)) for width in range(6)] == list(range(6))
    assert sparkline([1, 2, 3, 4], 6) == "  ▁▃▆█"
    assert sparkline([100.0, 100.1, 100.0], 3) == "▁▁▁"
    assert (sparkline([], 3), bar(0.5, 4), bar(9.0, 4)) == ("   ", "██░░", "████")
    assert (span(45), span(840), span(3 * 86_400)) == ("45 s", "14 min", "3 days")
    assert (spans(840, 1020), spans(90, 7300), spans(60, 60)) == ("14–17 min", "90 s–2 h", "60 s")
    assert growth(100.0, 1e8, 60) == "steady"
    assert growth(5e5, 1e8, 60) == "+30 MB/min"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ((None, "ftp://x", None), "not a URL"),
        ((None, "http://x:99999", None), "not a URL"),
        ((None, "http://x\x1b[2J", None), "not a URL"),
        ((4, "http://x", None), "--pid belongs"),
        ((None, None, "shop"), "--scope belongs"),
        ((0, None, None), "greater than zero"),
    ],
)
def test_options_that_make_no_sense(words: tuple[Any, Any, Any], cause: str) -> None:
    with pytest.raises(Usage, match=cause) as caught:
        targets.origin(*words, "")
    assert str(caught.value).isprintable()


def test_help_is_quick_and_needs_no_textual() -> None:
    code = (
        "import sys, contextlib, io\nfrom memwarden.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])\n"
        "print([name for name in ('textual', 'rich', 'numpy', 'memwarden.top.watcher') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_verdict_has_a_sign_of_its_own() -> None:
    from typing import get_args

    from memwarden.top.words import MARKS
    from memwarden_api.report import VerdictName

    assert set(MARKS) == set(get_args(VerdictName))
    assert len({mark for mark, _ in MARKS.values()}) == len(MARKS)
    assert lines.MARKS is MARKS
