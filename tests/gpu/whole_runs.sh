#!/usr/bin/env bash
# Whole evolutions and evaluations on one GPU, or two where there are: the CPU's text, islands and tensor-parallel ranks, the same
# history a second time and after kill -9, and the quickstart.
#
#   tests/gpu/whole_runs.sh [PYTEST ARGUMENTS]                 on a machine with a GPU, with the build in build/cuda
#   tests/gpu/whole_runs.sh --device cpu [PYTEST ARGUMENTS]    a rehearsal on the CPU
#
#   GALAPAGOS_BINARY_DIR                     another build
#   GALAPAGOS_TEST_QUICKSTART_EVALUATIONS    evaluations of an island in the quickstart (default: all 56)
#
# Exit status: 0 all passed, 1 something failed, 2 wrong usage, 77 there is no GPU and nothing was run.
set -euo pipefail
cd "$(dirname "$0")/../.."
device=gpu
if [ "${1:-}" = --device ]; then device=${2:-}; shift 2 || true; fi
case $device in
    gpu | cpu) ;;
    *) echo "tests/gpu/whole_runs.sh: unknown device '$device' (use gpu or cpu)" >&2; exit 2 ;;
esac
export GALAPAGOS_BINARY_DIR=${GALAPAGOS_BINARY_DIR:-$PWD/build/cuda}
program=$GALAPAGOS_BINARY_DIR/src/app/galapagos
if [ ! -x "$program" ]; then
    echo "tests/gpu/whole_runs.sh: no program at $program (cmake --preset cuda && cmake --build build/cuda --target galapagos)" >&2
    exit 2
fi
choice=$("$program" doctor | sed -n 's/^ *device auto *//p')
if [ "$device" = gpu ] && [[ $choice != *GPU\ on\ every\ rank* ]]; then
    echo "tests/gpu/whole_runs.sh: no GPU: nothing was run. On this machine auto $choice"
    exit 77
fi
export GALAPAGOS_DEPS=${GALAPAGOS_DEPS:-$PWD/.deps}
export GALAPAGOS_TEST_DEVICE=$device
exec "$GALAPAGOS_DEPS/venv/bin/python" -m pytest -q -rs -m 'slow or not slow' "$@" tests/gpu/whole_runs_test.py
