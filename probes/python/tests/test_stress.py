"""A short run of stress.py, with censuses asked for all the while."""

import contextlib
import time
from pathlib import Path

import interpreters
import pytest

STRESS = Path(__file__).with_name("stress.py")


@pytest.mark.slow
@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_everything_at_once(listener, run, version):
    listener.average_bytes = 512
    program = run(
        version, arguments=[str(STRESS), "10"], options=("-W", "ignore"), MEMWARDEN_SAMPLING_BYTES="512"
    )
    peer = listener.peer(program.pid)
    asked = 1000
    while program.process.poll() is None:
        asked += 1
        with contextlib.suppress(OSError):
            peer.send({"id": asked, "method": "census", "params": {"top": 20}})
        for site in peer.table.read_sites():
            for frame in site.frames:
                assert frame[0], frame
                assert frame[2] > 0, frame
        time.sleep(0.3)
    out, err = program.finish()
    assert any("result" in message and message["id"] > 1000 for message in peer.messages)
    assert out.startswith("clean")
    assert err == ""
    header = peer.table.read_header()
    assert header.samples_taken > 10_000
    assert header.dropped_samples == 0
