#!/bin/sh
# Sets up everything that `make demo` and `make test` need, in this folder only: .uv (the installer), .venv (the
# locked dependencies and our packages, editable) and the native object of the Python probe.
# Run again, it does only what changed; with nothing changed it needs no network and takes no time.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "memwarden setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# uv brings certificates of its own and doesn't look at the machine's; a company's authority is only in the latter.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS=true
fi

# Prints the first Python ≥ 3.11, as itself: behind a version manager's shim uv sees another one each time, and begins
# the environment anew.
usable_python() {
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14; do
        [ -n "$name" ] || continue
        if "$name" -c 'import sys; (3, 11) <= sys.version_info or sys.exit(1); print(sys.executable)' 2>/dev/null; then
            return
        fi
    done
    return 1
}

# What the environment is made from; the folder counts too, since a moved virtual environment doesn't work.
fingerprint() {
    {
        pwd
        cat uv.lock pyproject.toml ./*/pyproject.toml tools/uv.txt tools/setup.sh
        grep '^PROBE_VERSION' probes/python/memwarden_probe/bootstrap.py
    } | cksum
}

stamp=.venv/memwarden-setup
wanted=$(fingerprint)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    python=$(usable_python) || fail "no Python 3.11 or newer was found: install one (sudo apt-get install python3 python3-venv) or name it with PYTHON=/path/to/python make demo"
    if ! .uv/bin/python -m uv --version >/dev/null 2>&1; then
        rm -rf .uv
        if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            fail "Python's venv module is missing: sudo apt-get install python$version-venv"
        fi
        say "installing uv from PyPI"
        "$python" -m venv .uv || fail "could not make a virtual environment in .uv; see the lines above"
        .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/uv.txt \
            || fail "could not install uv from PyPI: the first time needs the network; see the lines above"
    fi
    say "installing the locked dependencies"
    UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
        .uv/bin/python -m uv sync --locked --inexact --all-packages --python "$python" --quiet \
        || fail "could not install the dependencies in uv.lock; see the lines above"
fi

# The native objects: the system's compiler where it works, else zig from PyPI.
native() { .venv/bin/python probes/python/build.py && .venv/bin/python probes/native/build_preload.py; }
if ! native >/dev/null 2>.venv/native.log; then
    if .venv/bin/python -c 'import ziglang' 2>/dev/null; then
        cat .venv/native.log >&2
        fail "could not build the native objects of the probe; see the lines above"
    fi
    say "no working C compiler: fetching zig from PyPI (90 MB, once)"
    sh tools/zig.sh || fail "there is no compiler then; or install one: sudo apt-get install gcc libc6-dev"
    native >/dev/null \
        || fail "could not build the native objects of the probe; see the lines above"
fi
printf '%s\n' "$wanted" > "$stamp"
