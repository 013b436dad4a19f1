#!/usr/bin/env bash
# Sets up, builds and runs all tests: C++ through ctest, Python through pytest. Prints both closing lines.
#
#   tests/run.sh                what CI runs: everything but the tests labelled slow; those labelled gpu skip themselves without one
#   tests/run.sh --slow         those labelled slow too
#   tests/run.sh --preset asan  with another preset of CMakePresets.json (the C++ tests only)
#   tests/run.sh --fuzz 3600    seconds that each fuzz target runs (default 20; 0: none)
set -euo pipefail
cd "$(dirname "$0")/.."
preset=ci
slow=no
fuzz_seconds=20
while [ $# -gt 0 ]; do
    case $1 in
        --slow) slow=yes; shift ;;
        --preset) preset=$2; shift 2 ;;
        --fuzz) fuzz_seconds=$2; shift 2 ;;
        *) echo "tests/run.sh: unknown argument $1" >&2; exit 2 ;;
    esac
done
wanted=(--tests)
# The test cluster needs root, like the packages.
if [ "$(id -u)" = 0 ]; then wanted+=(--slurm); fi
./setup.sh "${wanted[@]}"
export GALAPAGOS_DEPS=${GALAPAGOS_DEPS:-$PWD/.deps}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
build=build/$preset
cmake --preset "$preset" >"/tmp/galapagos-configure.$$" || { cat "/tmp/galapagos-configure.$$"; exit 1; }
rm -f "/tmp/galapagos-configure.$$"
cmake --build "$build" -j "$(nproc)" -- --quiet
# pytest runs the parity tests below, with the slow ones chosen one by one.
skip='slow|parity'
[ "$slow" = yes ] && skip='parity'
status=0
ctest --test-dir "$build" -LE "$skip" -j 2 --output-on-failure || status=1
if [ "$preset" = ci ] || [ "$preset" = release ]; then
    if [ "$fuzz_seconds" != 0 ]; then tests/fuzz/run.sh "$fuzz_seconds" || status=1; fi
    marks='not slow'
    [ "$slow" = yes ] && marks='slow or not slow'
    GALAPAGOS_BINARY_DIR=$PWD/$build "$GALAPAGOS_DEPS/venv/bin/python" -m pytest -q -m "$marks" tests || status=1
fi
exit $status
