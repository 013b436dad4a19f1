#!/usr/bin/env bash
# Runs the fuzz targets from their seed corpus; fails when one finds something.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     default: 20 seconds each, all targets, two at a time
#
# What a target finds is left in build/fuzz/findings; build/fuzz/tests/fuzz/TARGET_fuzz FILE repeats it.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-20}
targets=("${@:2}")
build=$PWD/build/fuzz
if ! command -v clang++ >/dev/null 2>&1 ||
    ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
        clang++ -fsanitize=fuzzer -x c++ - -o /dev/null 2>/dev/null; then
    echo "fuzz: skipped, there is no clang++ with libFuzzer here (Debian: clang, libclang-rt-14-dev)"
    exit 0
fi
cmake --preset fuzz >"/tmp/galapagos-configure-fuzz.$$" || { cat "/tmp/galapagos-configure-fuzz.$$"; exit 1; }
rm -f "/tmp/galapagos-configure-fuzz.$$"
cmake --build "$build" -j "$(nproc)" -- --quiet
if [ ${#targets[@]} = 0 ]; then
    for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
mkdir -p "$build/findings" "$build/grown"

# What a log of libFuzzer comes to.
summary() {
    awk '/^processor/ {seconds = $2 + $3}
        /number_of_executed_units/ {runs = $2}
        /cov:/ {for (i = 1; i < NF; i++) {if ($i == "cov:") edges = $(i + 1); if ($i == "ft:") features = $(i + 1)}}
        END {printf "%s inputs in %d s of processor, %s edges, %s features, nothing found\n", runs, seconds, edges, features}' "$1"
}

# One target: new inputs go to build/fuzz/grown, where a later run finds them.
fuzz_one() {
    local target=$1 log=$build/$1.log found=0 TIMEFORMAT="processor %U %S"
    mkdir -p "$build/grown/$target"
    for packed in "tests/fuzz/corpus/$target"/*.gz; do
        [ ! -e "$packed" ] || gunzip -c "$packed" >"$build/grown/$target/$(basename "$packed" .gz)"
    done
    { time "$build/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$target-" "$build/grown/$target" "tests/fuzz/corpus/$target"; } >"$log" 2>&1 || found=1
    if [ $found = 0 ]; then
        echo "fuzz $target: $(summary "$log")"
    else
        echo "fuzz $target: FOUND something"
        tail -n 60 "$log"
        return 1
    fi
}
export -f fuzz_one summary
export build seconds ASAN_OPTIONS=allocator_may_return_null=1:detect_odr_violation=0 LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz_one {}'
