#!/bin/sh
# What `make test-system` needs beyond PyPI: a browser from Debian, and playwright to steer it.
set -eu
cd "$(dirname "$0")/.."
fail() { printf '%s\n' "memwarden: $*" >&2; exit 1; }

if [ ! -x /usr/bin/chromium ]; then
    command -v apt-get >/dev/null || fail "make test-system needs chromium at /usr/bin/chromium: install it"
    [ "$(id -u)" = 0 ] || fail "make test-system needs chromium: sudo apt-get install chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core >/dev/null \
        || fail "apt-get could not install chromium; see the lines above"
fi
if ! .venv/bin/python -c 'import playwright' 2>/dev/null; then
    [ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true
    UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
        .uv/bin/python -m uv sync --locked --inexact --all-packages --group system --quiet \
        || fail "could not install playwright from PyPI; see the lines above"
fi
