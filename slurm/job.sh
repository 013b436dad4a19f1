# What the batch scripts of this folder share. Sourced by them, from the repository's root, inside an allocation.
# shellcheck shell=bash
#
#   GALAPAGOS            the program (default: build/release/src/app/galapagos)
#   GALAPAGOS_PROFILE    a site profile, sourced first (see profiles/)
#   GALAPAGOS_LAUNCHER   how ranks are started (default: srun --mpi=pmix where Slurm has it, else mpirun)
#   GALAPAGOS_FRUITLESS  restarts in a row without a new generation before a job gives up (default: 3)

say() { echo "[$(date -u +%FT%TZ) job $SLURM_JOB_ID] $*"; }

give_up() { say "$*" >&2; exit 2; }

prepare() {
    # shellcheck source=/dev/null
    if [ -n "${GALAPAGOS_PROFILE:-}" ]; then source "$GALAPAGOS_PROFILE"; fi
    galapagos=${GALAPAGOS:-$PWD/build/release/src/app/galapagos}
    [ -x "$galapagos" ] || give_up "no program at $galapagos: build it (slurm/README.md), or set GALAPAGOS"
    # Every rank gets its share of what was allocated on its node; the threads of a rank follow.
    tasks_per_node=${SLURM_NTASKS_PER_NODE:-$(((${SLURM_NTASKS:-$SLURM_JOB_NUM_NODES} + SLURM_JOB_NUM_NODES - 1) / SLURM_JOB_NUM_NODES))}
    local share=$((${SLURM_CPUS_ON_NODE:-1} / tasks_per_node))
    cpus_per_task=${SLURM_CPUS_PER_TASK:-$((share > 0 ? share : 1))}
    export OMP_NUM_THREADS=$cpus_per_task
    # Slurm before 23.02 does not say when the job ends, and the program wants to stop in time.
    if [ -z "${SLURM_JOB_END_TIME:-}" ]; then
        local ends
        ends=$(squeue --noheader --jobs "$SLURM_JOB_ID" --format %e) || ends=
        if ends=$(date -d "$ends" +%s 2>/dev/null); then export SLURM_JOB_END_TIME=$ends; fi
    fi
    # Slurm's PMIx plugin has a fence that does not wait in jobs of fewer nodes than TreeWidth; MPI_Init then crashes or
    # hangs now and then. This one waits.
    export SLURM_PMIX_FENCE=ring
    # An idle rank leaves its core to a busy one. Only matters where ranks share cores.
    export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
    choose_launcher
}

choose_launcher() {
    local text=${GALAPAGOS_LAUNCHER:-}
    if [ -z "$text" ]; then
        if [[ $(srun --mpi=list 2>&1) == *pmix* ]]; then text='srun --mpi=pmix'; else text=mpirun; fi
    fi
    read -r -a launcher <<<"$text"
    case ${launcher[0]} in
        # --wait: when one rank is gone, the others are ended 20 s later, where they would wait for it until the job's end.
        # --kill-on-bad-exit would do that at once, but takes the first rank's 75 of a clean stop for a bad exit.
        # A rank sees all GPUs of its node and takes its own: with one visible device each, peers can't reach each other.
        srun)
            launcher+=(--ntasks-per-node="$tasks_per_node" --cpus-per-task="$cpus_per_task" --kill-on-bad-exit=0 --wait=20)
            if [ -n "${SLURM_JOB_GPUS:-}${SLURM_GPUS_ON_NODE:-}" ]; then launcher+=(--gpu-bind=none); fi ;;
        mpirun) launcher+=(-n "$((tasks_per_node * SLURM_JOB_NUM_NODES))" --npernode "$tasks_per_node" --bind-to none) ;;
    esac
}

# read_arguments CONFIG ARGUMENT...: sets `arguments`, without --run-dir, and `run_dir`: what was given, or runs/NAME.
read_arguments() {
    [ -f "${1:-}" ] || give_up "the first argument is a config file, seen from $PWD"
    name=$(sed -n "s/^name: *['\"]\?\([^'\" #]*\).*/\1/p" "$1")
    run_dir=
    arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
            --run-dir) run_dir=${2:?--run-dir needs a folder}; shift 2 ;;
            --run-dir=*) run_dir=${1#*=}; shift ;;
            *) arguments+=("$1"); shift ;;
        esac
    done
    run_dir=${run_dir:-runs/${name:-evolution}}
}

# launch ARGUMENT...: the program on all ranks. A SIGUSR1 or SIGTERM that this shell gets goes on to them; the program then
# stops at the next checkpoint. Sets status.
launch() {
    say "$(basename "${launcher[0]}"): $SLURM_JOB_NUM_NODES nodes ($SLURM_JOB_NODELIST) x $tasks_per_node ranks x $cpus_per_task threads"
    "${launcher[@]}" "$galapagos" "$@" &
    local child=$!
    # shellcheck disable=SC2064
    trap "kill -USR1 $child 2>/dev/null" USR1 TERM
    # A trap ends `wait` early.
    while true; do
        status=0
        wait "$child" || status=$?
        kill -0 "$child" 2>/dev/null || break
    done
    trap - USR1 TERM
    say "status $status"
}

# The newest checkpoint of each island.
progress() { (cd "$1/checkpoint" 2>/dev/null && ls -1 -- *.ckpt 2>/dev/null) || true; }

# count_restart: notes that the job starts; gives up when restarts have brought nothing for too long. Counted here, not where
# the job ends, because a node that fails takes this script with it.
count_restart() {
    local file=$run_dir/restarts-$SLURM_JOB_ID now fruitless=0 before=
    now=$(progress "$run_dir" | cksum)
    if [ ! -d "$run_dir" ]; then
        fruitless=${SLURM_RESTART_COUNT:-0}
    elif [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
        if [ -f "$file" ]; then { read -r fruitless; read -r before; } <"$file"; fi
        if [ "$before" = "$now" ]; then fruitless=$((fruitless + 1)); else fruitless=0; fi
    fi
    if [ -d "$run_dir" ]; then
        printf '%s\n%s\n' "$fruitless" "$now" >"$file.new"
        mv "$file.new" "$file"
    fi
    if [ "$fruitless" -ge "${GALAPAGOS_FRUITLESS:-3}" ]; then
        give_up "$fruitless restarts in a row without a new generation: not trying again. The reason should be above, or in $run_dir/log"
    fi
}

# evolve: the evolution of the arguments, from where it stands to its end.
evolve() {
    count_restart
    launch evolve "${arguments[@]}" --run-dir "$run_dir"
    if [ "$status" -eq 0 ]; then rm -f "$run_dir/restarts-$SLURM_JOB_ID"; fi
    finish "$status"
}

# finish STATUS: ends the script, and puts the job back into the queue if its run can go on. It can after a clean stop (75)
# and after a crash (a rank killed by a signal); not after an error, which would come again, nor when the user asked for the
# end with a file.
finish() {
    local state=
    if [ "$1" -eq 75 ] && [ -e "$run_dir/stop" ]; then
        say "stopped as $run_dir/stop asks; the same command resumes"
    elif [ "$1" -eq 75 ] || [ "$1" -gt 128 ]; then
        # Only a job that Slurm still counts as running: one that was cancelled or preempted is dealt with by Slurm.
        state=$(squeue --noheader --jobs "$SLURM_JOB_ID" --format %T 2>/dev/null) || state=
        if [ "$state" = RUNNING ] && [[ $(scontrol --oneliner show job "$SLURM_JOB_ID") != *\ Requeue=1\ * ]]; then
            say "this job may not be requeued; the same command resumes"
        elif [ "$state" = RUNNING ]; then
            say "back into the queue"
            scontrol requeue "$SLURM_JOB_ID" && sleep 60
        fi
    fi
    exit "$1"
}
