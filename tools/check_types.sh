#!/bin/sh
# Runs mypy, the program in $1, on the packages under their installed names.
# mypy reads folders and knows nothing of package-dir mappings, so it gets a folder of links.

set -eu
cd "$(dirname "$0")/.."

rm -rf build/types
mkdir -p build/types/tfdpzoo
for entry in tfdpzoo/* zoo cli; do
    ln -s "../../../$entry" build/types/tfdpzoo/
done
ln -s ../../benchmarks build/types/benchmarks

mypy=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd build/types
exec "$mypy" --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache --package tfdpzoo \
    --package benchmarks
