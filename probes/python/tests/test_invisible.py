"""Does the program behave as if the probe were not there?"""

import os
import subprocess
import sys

import interpreters
import pytest
from small_sidecar import wait_for

EVERY = ("2.7", "3.6", "3.7", *interpreters.HOOKED)

WITNESS = """
from __future__ import print_function
import sys, os, warnings
class Node(object):
    pass
nodes = [Node() for _ in range(20000)]
print(sorted(m for m in sys.modules if "warden" in m or m in ("ctypes", "socket", "threading", "ssl", "json")))
print(sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))], [p for p in sys.path if "inject" in p])
print("sitecustomize" in sys.modules, sys.argv, len(nodes))
print([m for m in sys.modules if m.startswith("_mem")])
sys.stderr.write("to stderr\\n")
"""


def outputs(version, environment, folder, options=(), source=WITNESS):
    script = folder / "witness.py"
    script.write_text(source)
    command = [interpreters.need(version), *options, str(script), "argument"]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    return result.returncode, result.stdout, result.stderr


def without_probe(environment):
    return {k: v for k, v in environment.items() if k not in ("PYTHONPATH", "MEMWARDEN_SOCKET")}


@pytest.mark.parametrize("version", EVERY)
def test_output_is_the_same_with_and_without(listener, environment, tmp_path, version):
    for options in ((), ("-W", "error")) if version in interpreters.HOOKED else ((),):
        plain = outputs(version, without_probe(environment), tmp_path, options)
        assert outputs(version, environment, tmp_path, options) == plain
        assert plain[0] == 0


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_output_is_the_same_in_development_mode(listener, environment, tmp_path, version):
    options = ("-X", "dev", "-W", "error")
    assert outputs(version, environment, tmp_path, options) == outputs(
        version, without_probe(environment), tmp_path, options
    )
    assert listener.peer().hello["params"]["reason"] == ""


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("switch", [{"MEMWARDEN_DISABLE": "1"}, {"MEMWARDEN_SOCKET": ""}])
def test_a_switch_turns_it_off(environment, tmp_path, version, switch):
    source = "print('memwarden_hook' in open('/proc/self/maps').read())"
    assert outputs(version, {**environment, **switch}, tmp_path, source=source)[1] == "False\n"
    assert outputs(version, environment, tmp_path, source=source)[1] == "True\n"


@pytest.mark.parametrize("version", interpreters.REQUIRED)
@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_tools_are_left_alone(listener, run, version, module):
    run(version, arguments=["-m", module, "--help"]).finish()
    run(version, "pass").finish()
    assert listener.peer().hello["params"]["argv0"].endswith("program.py")
    assert len(listener.peers) == 1


@pytest.mark.parametrize("version", ["2.7", "3.7", *interpreters.REQUIRED])
@pytest.mark.parametrize(
    "own",
    [
        "import sys\nsys.custom = 'ran'\nWHO = 'theirs'\n",
        "raise ValueError('broken')\n",
        "import a_module_that_is_not_there\n",
        "raise SystemExit(3)\n",
    ],
)
def test_the_users_own_sitecustomize_runs(environment, tmp_path, version, own):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(own)
    source = "import sys\nprint((getattr(sys, 'custom', ''), getattr(sys.modules.get('sitecustomize'), 'WHO', '')))"
    path = environment["PYTHONPATH"]
    plain = outputs(version, {**environment, "PYTHONPATH": str(folder)}, tmp_path, source=source)
    ours = outputs(version, {**environment, "PYTHONPATH": f"{path}:{folder}"}, tmp_path, source=source)
    if "SystemExit" in own:  # ends the start with a traceback, in which our file is one line more
        assert (ours[0], ours[1], ours[2].splitlines()[-1:]) == (
            plain[0],
            plain[1],
            plain[2].splitlines()[-1:],
        )
    else:
        assert ours == plain


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_there_is_no_other_thread(listener, run, version):
    source = """
    import os, sys, threading
    kept = [{} for _ in range(50000)]
    print(len(os.listdir("/proc/self/task")), len(threading.enumerate()), flush=True)
    sys.stdin.readline()
    """
    program = run(version, source)
    assert program.line() == "1 1"
    assert listener.peer(program.pid).table is not None


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_an_interpreter_without_hook_says_why(listener, run, version):
    program = run(version, "print('fine')")
    assert program.finish() == ("fine\n", "")
    hello = listener.peer().hello["params"]
    assert hello["capabilities"] == []
    assert f"Python {version}" in hello["reason"]
    assert hello["pid"] == program.pid


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_without_a_sidecar_nothing_happens(environment, tmp_path, version):
    environment["MEMWARDEN_SOCKET"] = str(tmp_path / "nobody")
    assert outputs(version, environment, tmp_path, source="print('fine')") == (0, "fine\n", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_hello_describes_the_process(listener, run, version):
    program = run(version, "import sys; print(sys.executable)", MEMWARDEN_CONTAINER="web")
    executable = program.finish()[0].strip()
    peer = listener.peer(program.pid)
    hello = peer.hello["params"]
    assert hello["protocol"] == 1
    assert hello["runtime"] == "cpython"
    assert hello["version"].startswith(version + ".")
    assert hello["container"] == "web"
    assert hello["executable"] == executable
    assert hello["argv0"].endswith("program.py")
    assert hello["capabilities"] == ["stats", "sites", "census", "caches"]
    assert hello["reason"] == ""
    assert any(version in prefix for prefix in hello["stdlib"])
    assert any(prefix.endswith("-packages") for prefix in hello["site_packages"])
    wait_for(lambda: peer.said_goodbye, "goodbye")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_sub_interpreters_do_not_start_it_twice(listener, run, version):
    source = """
    import sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    for _ in range(5):
        number = interpreters.create()
        getattr(interpreters, "run_string")(number, "kept = [{} for _ in range(20000)]")
        interpreters.destroy(number)
    print("fine", flush=True)
    """
    out, err = run(version, source, MEMWARDEN_SAMPLING_BYTES="4096").finish()
    assert (out, err) == ("fine\n", "")
    assert len(listener.peers) == 1


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_virtual_environment_and_a_shebang_have_it_too(listener, environment, tmp_path, version):
    plain = without_probe(environment)
    command = [interpreters.need(version), "-m", "venv", "--without-pip", str(tmp_path / "env")]
    subprocess.run(command, env=plain, check=True)
    script = tmp_path / "tool"
    script.write_text(f"#!{tmp_path}/env/bin/python\nimport sys\nprint(sys.prefix)\n")
    script.chmod(0o755)
    found = subprocess.run([str(script)], env=environment, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == (f"{tmp_path}/env\n", "")
    hello = listener.peer().hello["params"]
    assert hello["executable"] == f"{tmp_path}/env/bin/python"
    assert hello["argv0"] == str(script)


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_module_is_named_as_it_was_started(listener, run, tmp_path, version):
    (tmp_path / "service.py").write_text("print('fine')\n")
    program = run(version, arguments=["-m", "service"])
    assert program.finish() == ("fine\n", "")
    assert listener.peer(program.pid).hello["params"]["argv0"] == "-m service"


@pytest.mark.skipif(sys.platform != "linux", reason="the fork warning counts /proc's threads")
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_forks_do_not_warn(listener, run, version):
    source = """
    import os, select, sys, time, warnings
    seen = []
    warnings.simplefilter("always")
    warnings.showwarning = lambda *arguments, **names: seen.append(str(arguments[0]))
    kept = [{} for _ in range(50000)]
    print("ready", flush=True)
    number = 0
    while number < 600 or not select.select([0], [], [], 0)[0]:
        number += 1
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        if number % 20 == 0:
            time.sleep(0.025)  # a census begins no sooner than 2 ms after a fork, and here each takes less
        kept.append(bytearray(2000))
    print(len(seen), flush=True)
    """
    program = run(version, source)
    program.line()
    peer = listener.peer(program.pid)
    for number in range(10, 40):
        peer.send({"id": number, "method": "census", "params": {"top": 3}})
    wait_for(
        lambda: any(message.get("id") in range(10, 40) for message in peer.messages), "a census among forks"
    )
    program.go_on()
    assert program.finish() == ("0\n", "")


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_container_hands_over_its_proc_and_its_cgroup_and_keeps_neither_open(listener, run, version):
    source = """
    import os
    input()
    links = [os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd") if fd.isdigit() and
             os.path.lexists("/proc/self/fd/" + fd)]
    print([link for link in links if link == "/proc" or link.startswith("/sys/fs/cgroup")], flush=True)
    """
    program = run(version, source, MEMWARDEN_CONTAINER="web")
    peer = listener.peer(program.pid)
    hello = peer.hello["params"]
    assert hello["descriptors"][:2] == ["table", "proc"]
    assert hello["proc_pid"] == program.pid
    assert os.path.samestat(os.fstat(peer.folders["proc"]), os.stat("/proc"))
    if "cgroup" in hello["descriptors"]:
        assert "memory.stat" in os.listdir(peer.folders["cgroup"])
    program.go_on()
    out, _ = program.finish()
    assert out == "[]\n"


def test_a_run_that_is_no_container_hands_over_its_table_alone(listener, run):
    program = run(interpreters.REQUIRED[0], "input()")
    peer = listener.peer(program.pid)
    assert "descriptors" not in peer.hello["params"]
    assert peer.folders == {}
    program.go_on()
    program.finish()
