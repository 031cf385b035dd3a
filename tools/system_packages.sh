#!/bin/sh
# What `make test-system` needs beyond PyPI: a browser, shells and their like from Debian, what steers them, and what
# unpacks the interpreters of other releases.
set -eu
cd "$(dirname "$0")/.."
fail() { printf '%s\n' "memwarden: $*" >&2; exit 1; }

missing() {  # prints the package of each program that isn't there
    while read -r program packages; do
        command -v "$program" >/dev/null || printf '%s ' "$packages"
    done <<PROGRAMS
chromium chromium fonts-dejavu-core
zsh zsh
fish fish
debootstrap debootstrap
promtool prometheus
amtool prometheus-alertmanager
PROGRAMS
}

packages=$(missing)
ls /usr/lib/*/libjemalloc.so.2 >/dev/null 2>&1 || packages="$packages libjemalloc2"
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || fail "make test-system needs these packages of Debian: $packages"
    [ "$(id -u)" = 0 ] || fail "make test-system needs some packages: sudo apt-get install $packages"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    # RUNLEVEL: no server of a package is started.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $packages >/dev/null \
        || fail "apt-get could not install $packages; see the lines above"
fi
if ! .venv/bin/python -c 'import playwright, xmlschema, check_jsonschema' 2>/dev/null; then
    [ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true
    UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
        .uv/bin/python -m uv sync --locked --inexact --all-packages --group system --quiet \
        || fail "could not install the group system of uv.lock from PyPI; see the lines above"
fi
.venv/bin/python tools/public_schemas.py
