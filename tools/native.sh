#!/bin/sh
# The probe's native objects for all machines and C libraries, by zig, into the folder named; held to what they promise.
set -eu
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
sh tools/zig.sh
.venv/bin/python probes/python/build.py --all --into "$folder" >/dev/null
.venv/bin/python tools/native_objects.py "$folder"
