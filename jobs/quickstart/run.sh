#!/usr/bin/env bash
# Sets up, builds, and evolves a small language model on this machine; prints how the result compares with its parents and
# with hand-made merges. A second call resumes or shows what is there.
#
#   jobs/quickstart/run.sh [--seed N] [--run-dir DIR]
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=1
run_dir=
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=$2; shift 2 ;;
        --run-dir) run_dir=$2; shift 2 ;;
        *) echo "run.sh: unknown argument $1 (use --seed N, --run-dir DIR)" >&2; exit 2 ;;
    esac
done
run_dir=${run_dir:-runs/quickstart-seed$seed}

./setup.sh
export GALAPAGOS_DEPS=${GALAPAGOS_DEPS:-$PWD/.deps}
build=build/release
[ -f $build/build.ninja ] || { echo "run.sh: configuring"; cmake --preset release >/dev/null; }
echo "run.sh: building"
cmake --build $build --target galapagos -j "$(nproc)" -- --quiet
galapagos=$build/src/app/galapagos

# Two islands: one rank each, or two tensor-parallel ranks each where there are cores for them.
ranks=2
[ "$(nproc)" -ge 4 ] && ranks=4
launcher=(mpirun -n $ranks --bind-to none)
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
if [ "$(nproc)" -lt $ranks ]; then launcher+=(--oversubscribe); fi
"${launcher[@]}" $galapagos evolve jobs/quickstart/evolve.yaml --run-dir "$run_dir" \
    --set seed="$seed" --set evaluation.tensor_parallel=$((ranks / 2))

# The same questions for everybody else, once.
scores=runs/quickstart-baselines
mkdir -p "$scores"
score() {  # score NAME MODEL
    [ -s "$scores/$1.json" ] && return 0
    echo "run.sh: scoring $1"
    $galapagos evaluate "$2" jobs/quickstart/task.yaml --split validation,test --max-batch 60 --json >"$scores/$1.json.tmp"
    mv "$scores/$1.json.tmp" "$scores/$1.json"
}
base=.deps/models/smollm2
score base $base
for expert in jobs/quickstart/experts/*/; do
    expert=${expert%/}
    score "expert: $(basename "$expert")" "$base+$expert"
done
for recipe in jobs/quickstart/baselines/*.yaml; do
    score "merge: $(basename "$recipe" .yaml)" "$recipe"
done

echo
"$GALAPAGOS_DEPS/venv/bin/python" jobs/quickstart/table.py "$run_dir" "$scores"
PYTHONPATH=analysis "$GALAPAGOS_DEPS/venv/bin/python" -m galapagos_analysis plot "$run_dir" -o "$run_dir"
echo
echo "The best recipe ($run_dir/best/recipe.yaml)"
cat "$run_dir/best/recipe.yaml"
cat <<TEXT

What next
  the model            $galapagos export $run_dir runs/quickstart-model
  what happened        $galapagos history $run_dir
  a report             PYTHONPATH=analysis $GALAPAGOS_DEPS/venv/bin/python -m galapagos_analysis report $run_dir
  talk to the model    jobs/quickstart/README.md, section "Talk to it"
  on a cluster         slurm/README.md
TEXT
