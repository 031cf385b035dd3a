#!/bin/sh
# Zig, a C compiler for every target from one PyPI package, into .venv.
set -eu
cd "$(dirname "$0")/.."
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true
UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
    .uv/bin/python -m uv sync --locked --inexact --all-packages --group native --quiet \
    || { printf '%s\n' "memwarden: zig could not be installed from PyPI (90 MB, once); see the lines above" >&2; exit 1; }
