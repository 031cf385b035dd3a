"""Runs of stress.py: nothing crashes or hangs, no frame is read wrongly, nothing is dropped.

Meanwhile censuses are asked for and the rate is changed. A short run of two versions for every change; a minute of
each version, all at the same time (`system`); ten minutes of each, and each of Python's own allocators (`nightly`).
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import debian
import interpreters
import pytest
from interpreters import PROBE

STRESS = Path(__file__).with_name("stress.py")
FINE, COARSE = 512, 65536  # bytes between two samples
LOOKS = 5
PATIENCE = 240.0  # seconds
ALLOCATORS = ("malloc", "malloc_debug", "pymalloc_debug")


class Stress:
    """One interpreter under stress, looked at by `look` as often as you like.

    It goes on after its seconds until it was looked at some times and has answered a census: it takes all the cores
    that it gets, and on a crowded machine who looks may hardly have a turn.
    """

    def __init__(self, listener, run, version, seconds, **variables):
        self.version = version
        self.unseen = Path(listener.path).with_name(f"unseen-{version}")
        self.unseen.touch()
        self.given_up = time.monotonic() + seconds + PATIENCE
        self.program = run(
            version, arguments=[str(STRESS), str(seconds), str(self.unseen)], options=("-W", "ignore"),
            MEMWARDEN_SAMPLING_BYTES=str(FINE), **variables,
        )  # fmt: skip
        self.peer = listener.peer(self.program.pid)
        self.asked = 1000
        self.average = FINE

    def runs(self):
        return self.program.process.poll() is None

    def look(self):
        self.asked += 1
        self.average = COARSE if self.asked % 8 == 0 else FINE
        with contextlib.suppress(OSError):
            self.peer.send({"id": self.asked, "method": "census", "params": {"top": 20}})
            self.peer.send({"method": "set_sampling", "params": {"average_bytes": self.average}, "id": 1})
        for site in self.peer.table.read_sites():
            for frame in site.frames:
                assert frame[0], frame
                assert frame[2] > 0, frame
        if (self.asked >= 1000 + LOOKS and self.counted()) or time.monotonic() > self.given_up:
            self.unseen.unlink(missing_ok=True)

    def counted(self):
        """Whether it answered a census, where its version has one."""
        answered = any("result" in message and message["id"] > 1000 for message in self.peer.messages)
        return answered or self.version not in interpreters.WITH_CENSUS

    def finish(self, least_samples):
        """Hold it to a clean end; return how many samples it took and how many times it forked."""
        out, err = self.program.finish()
        assert out.startswith("clean"), (self.version, out, err)
        assert err == "", self.version
        header = self.peer.table.read_header()
        assert header.samples_taken > least_samples, self.version
        assert header.dropped_samples == 0, self.version
        assert self.counted(), self.version
        return header.samples_taken, int(out.split()[1])


def stress(listener, run, version, seconds, **variables):
    one = Stress(listener, run, version, seconds, **variables)
    while one.runs():
        one.look()
        time.sleep(0.3)
    return one.finish(10_000)


@pytest.mark.slow
@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_everything_at_once(listener, run, version):
    stress(listener, run, version, 10)


@pytest.fixture
def with_debian(tmp_path, monkeypatch):
    """Debian's 3.14 beside the interpreters of this machine, where a chroot can be made."""
    if interpreters.find("3.14") is None and os.geteuid() == 0:
        monkeypatch.setattr(interpreters, "GIVEN", str(tmp_path / "pythons"))
        debian.launcher(debian.RELEASES["forky-x86_64"], "python3.14", tmp_path / "pythons")
        interpreters.find.cache_clear()
    yield
    interpreters.find.cache_clear()


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.usefixtures("with_debian")
def test_a_minute_of_every_version(listener, run, record_property):
    found = [version for version in interpreters.HOOKED if interpreters.find(version)]
    record_property("versions", " ".join(found))
    under = [Stress(listener, run, version, 60) for version in found]
    while any(one.runs() for one in under):
        for one in under:
            if one.runs():
                one.look()
        time.sleep(0.5)
    for one in under:
        one.finish(5_000)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("with_debian")
@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_ten_minutes(listener, run, record_property, version):
    samples, forks = stress(listener, run, version, 600)
    record_property("samples", samples)
    record_property("forks", forks)


@pytest.mark.nightly
@pytest.mark.usefixtures("with_debian")
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_a_minute_on_another_allocator(listener, run, record_property, version, allocator):
    samples, _ = stress(listener, run, version, 60, PYTHONMALLOC=allocator)
    record_property("samples", samples)


def sanitizer_runtimes():
    """What must be preloaded for an object with sanitizers in a program without."""
    paths = []
    for name in ("libasan.so", "libubsan.so"):
        asked = subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        if not os.path.isabs(asked.stdout.strip()):
            pytest.skip(f"the C compiler has no {name}")
        paths.append(asked.stdout.strip())
    return ":".join(paths)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_two_minutes_with_the_sanitizers(listener, run, tmp_path, version):
    """Every block is malloc's here, so AddressSanitizer sees the hook touch what is freed or not its own."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine")
    probe = tmp_path / "probe"
    for folder in ("inject", "memwarden_probe"):
        shutil.copytree(PROBE / folder, probe / folder)
    build = [sys.executable, str(PROBE / "build.py"), "--sanitize", "--into", str(probe / "lib")]
    subprocess.run(build, check=True)
    report = tmp_path / "found"
    try:
        stress(
            listener, run, version, 120,
            PYTHONPATH=str(probe / "inject"), PYTHONMALLOC="malloc", LD_PRELOAD=sanitizer_runtimes(),
            ASAN_OPTIONS=f"detect_leaks=0:allocator_may_return_null=1:log_path={report}",
            UBSAN_OPTIONS=f"log_path={report}",
        )  # fmt: skip
    finally:
        for found in tmp_path.glob("found*"):
            # What the stress asks for on purpose and can't have is only warned about.
            text = re.sub(
                r"(?m)^==\d+==WARNING: AddressSanitizer failed to allocate .*\n", "", found.read_text()
            )
            assert text == ""
