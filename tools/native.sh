#!/bin/sh
# The native objects for all machines and C libraries, by zig, held to what they promise: the probe's into the folder
# named; the loader's, which pods alone need, into the second one.
set -eu
folder=$(realpath -m "$1")
loaders=$(realpath -m "${2:-.}")
cd "$(dirname "$0")/.."
sh tools/zig.sh
.venv/bin/python probes/python/build.py --all --into "$folder" >/dev/null
.venv/bin/python tools/native_objects.py "$folder"
[ $# -lt 2 ] || {
    .venv/bin/python probes/native/build_preload.py --all --into "$loaders" >/dev/null
    .venv/bin/python tools/native_objects.py "$loaders"
}
