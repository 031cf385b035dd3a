#!/bin/sh
# The wheels of all distributions, into dist/ or the folder named: the same bytes from the same commit, whoever builds them.
# No source archives: what the wheel of `memwarden` holds is compiled by zig for four targets, and a source archive
# that builds something else would be another product. The sources are this repository.
set -eu
folder=$(realpath -m "${1:-"$(dirname "$0")/../dist"}")
cd "$(dirname "$0")/.."
fail() { printf '%s\n' "memwarden dist: $*" >&2; exit 1; }

[ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true
export UV_PYTHON_DOWNLOADS=never
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)}
export SOURCE_DATE_EPOCH

sh tools/native.sh build/native || fail "the native objects could not be built; see the lines above"
rm -f "$folder"/memwarden*.whl
.uv/bin/python -m uv build --quiet --wheel --all-packages --out-dir "$folder" || fail "a wheel could not be built; see the lines above"
rm -f "$folder/.gitignore"
ls "$folder"
