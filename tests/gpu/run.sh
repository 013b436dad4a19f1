#!/usr/bin/env bash
# Builds the preset cuda, runs all tests that need a GPU, whole runs of the program (whole_runs.sh) and the benches of
# tests/gpu/bench; prints one table of tests and one of benches, and writes bench-gpu.json.
#
#   tests/gpu/run.sh              on a machine with one GPU or more
#   tests/gpu/run.sh --anyway     without a GPU too: builds, and shows what is skipped
#
# The benches' rivals need a Python with torch for this GPU and transformers: the tests' environment, or python3.
#
# Exit status: 0 all passed, 1 something failed, 2 wrong usage, 77 there is no GPU and nothing was run.
set -euo pipefail
cd "$(dirname "$0")/../.."
anyway=no
found=yes
case ${1:-} in
    '') ;;
    --anyway) anyway=yes ;;
    *) echo "tests/gpu/run.sh: unknown argument $1 (use --anyway or none)" >&2; exit 2 ;;
esac

if ! gpus=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null) || [ -z "$gpus" ]; then
    found=no
    gpus="no GPU (nvidia-smi shows none)"
    if [ "$anyway" = no ]; then
        echo "tests/gpu/run.sh: $gpus: nothing was run. --anyway builds, and runs what needs none."
        exit 77
    fi
fi

command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
./setup.sh --tests
export GALAPAGOS_DEPS=${GALAPAGOS_DEPS:-$PWD/.deps} OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
build=build/cuda
cmake --preset cuda >/dev/null
cmake --build "$build" -j "$(nproc)" --target gpu_tests gpu_candidate galapagos -- --quiet
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
# One test at a time: they share the GPU.
GTEST_COLOR=no ctest --test-dir "$build" -R '^gpu/' -j 1 --verbose >"$output" 2>&1 || status=1

echo "$gpus"
echo "$(date -u +%Y-%m-%d), galapagos $(git describe --always --dirty 2>/dev/null || echo unknown), $(nvcc --version | grep -o 'release [0-9.]*' || true)"
awk '
    /^ *Start +[0-9]+: / { program = $NF }
    # "83: [       OK ] DeviceLayer.Name (12 ms)"
    match($0, /\[ +(OK|SKIPPED|FAILED) +\] [A-Za-z]+(\/[0-9]+)?\.[A-Za-z]+.* \([0-9]+ ms\)/) {
        line = substr($0, RSTART)
        result = line ~ /OK \]/ ? "passed" : line ~ /SKIPPED/ ? "skipped" : "FAILED"
        sub(/^\[[^]]*\] /, "", line)
        name = line; sub(/[ ,].*/, "", name)
        time = line; sub(/.*\(/, "", time); sub(/\).*/, "", time)
        printf "%-34s %-68s %-8s %9s\n", program, name, result, time
    }
    /no GPU: / { why = $0; sub(/.*no GPU: /, "", why) }
    /\*\*\*(Failed|Exception|Timeout)/ { printf "%-34s %s\n", program, "ENDED BADLY: the output is below" }
    END { if (why != "") print "skipped: no GPU: " why }
' "$output"
if [ $status != 0 ]; then cat "$output"; fi
if [ $found = yes ] && why=$(grep -o -m 1 'no GPU: .*' "$output"); then
    echo "tests/gpu/run.sh: nvidia-smi shows a GPU that this build can't use (${why#no GPU: }): its tests were skipped"
    exit 1
fi
GALAPAGOS_BINARY_DIR=$PWD/$build tests/gpu/whole_runs.sh || [ $? = 77 ] || status=1

for python in "$GALAPAGOS_DEPS/venv/bin/python" python3 ''; do
    if [ -z "$python" ]; then
        echo "no benches: no Python here has torch for a GPU and transformers (pip install torch transformers)"
    elif "$python" -c 'import torch, transformers; assert torch.cuda.is_available()' 2>/dev/null; then
        "$python" tests/bench/table.py --scripts tests/gpu/bench --binary-dir "$PWD/$build" --output bench-gpu.json || status=1
        break
    fi
done
exit $status
