#!/bin/sh
# packages.sh LOCK FOLDER: a lock's packages, of the wheels that the build was given, else of the package index.
set -eu
cd "$(dirname "$0")"
if [ -e uv ]; then
  exec ./uv pip install --quiet --offline --no-cache --no-index --find-links wheels --require-hashes \
    --python "$(command -v python3)" --compile-bytecode --target "$2" -r "$1"
fi
exec python3 -m pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary :all: --target "$2" -r "$1"
