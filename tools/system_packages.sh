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
PROGRAMS
}

packages=$(missing)
ls /usr/lib/*/libjemalloc.so.2 >/dev/null 2>&1 || packages="$packages libjemalloc2"
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || fail "make test-system needs these packages of Debian: $packages"
    [ "$(id -u)" = 0 ] || fail "make test-system needs some packages: sudo apt-get install $packages"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $packages >/dev/null \
        || fail "apt-get could not install $packages; see the lines above"
fi
if ! .venv/bin/python -c 'import playwright, xmlschema, check_jsonschema' 2>/dev/null; then
    [ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true
    UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
        .uv/bin/python -m uv sync --locked --inexact --all-packages --group system --quiet \
        || fail "could not install the group system of uv.lock from PyPI; see the lines above"
fi
# Prometheus and Alertmanager are unpacked, not installed: their packages would start servers.
if ! command -v promtool >/dev/null && [ ! -x build/prometheus/usr/bin/promtool ]; then
    command -v apt-get >/dev/null || fail "make test-system needs promtool, amtool, prometheus and prometheus-alertmanager on PATH"
    mkdir -p build/prometheus/packages
    (cd build/prometheus/packages && apt-get download -qq prometheus prometheus-alertmanager) \
        || fail "apt-get could not download prometheus and prometheus-alertmanager; see the lines above"
    for package in build/prometheus/packages/*.deb; do dpkg -x "$package" build/prometheus; done
fi
.venv/bin/python tools/public_schemas.py
