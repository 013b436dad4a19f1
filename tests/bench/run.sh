#!/usr/bin/env bash
# Measures galapagos against its rivals, prints one table, and writes bench.json.
#
#   tests/bench/run.sh [NAME...]     NAME: a script of this folder without .py (default: all)
#
# Each script runs a program of ours and its rival in one go on this machine and prints a list of
# {name, unit, galapagos, rival, ratio, floor, goal, met}. The rivals live in the tests' environment; mergekit in one of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
./setup.sh --tests
export GALAPAGOS_DEPS=${GALAPAGOS_DEPS:-$PWD/.deps}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
build=build/release
[ -f $build/build.ninja ] || cmake --preset release >/dev/null
cmake --build $build -j "$(nproc)" --target galapagos benches -- --quiet
exec "$GALAPAGOS_DEPS/venv/bin/python" tests/bench/table.py --binary-dir "$PWD/$build" "$@"
