#!/usr/bin/env bash
# A Slurm cluster on one machine, for tests: a login host and compute nodes n1, n2, ..., all real daemons (slurmctld, slurmd,
# munged). A host is a set of Linux namespaces: it has its own name, address, processes, /tmp, /run and /dev/shm; the rest of
# the disk is shared by all, like a cluster's file system. Needs root; nothing outside STATE and the namespaces is changed.
#
#   cluster.sh up [--nodes N] [--cpus N] [--share FOLDER]...   start (4 nodes of 1 CPU); FOLDERs below /tmp that all hosts see
#   cluster.sh down                    end it: every process of it, whatever state it is in
#   cluster.sh status                  nodes and jobs
#   cluster.sh run COMMAND...          on the login host: sbatch, squeue, scancel, ...
#   cluster.sh on NODE COMMAND...      on a compute node
#   cluster.sh power-off NODE          at once, with all that runs there
#   cluster.sh power-on NODE
#   cluster.sh shell                   an interactive shell on the login host
#
# STATE, a folder for configuration, logs and pids, comes from GALAPAGOS_CLUSTER (default: build/cluster of the repository).
set -euo pipefail

script=$(readlink -f "${BASH_SOURCE[0]}")
repository=${script%/tests/slurm/*}
state=$(realpath -m "${GALAPAGOS_CLUSTER:-$repository/build/cluster}")
export GALAPAGOS_CLUSTER=$state
# Set aside for documentation (RFC 5737), so never a real neighbour.
network=203.0.113
kinds=(--net --uts --ipc --mount --pid)

fail() { echo "cluster.sh: $*" >&2; exit 1; }

# ---- Hosts from outside. Pids of nodes are as the login host counts them: their namespaces lie inside its own, so that
# ---- the death of its first process takes everything with it.

login_pid() {
    local pid
    read -r pid 2>/dev/null <"$state/pid/login" || return 1
    # The number may have been given to another process since.
    grep -qzxF "$state" "/proc/$pid/cmdline" 2>/dev/null || return 1
    echo "$pid"
}

enter() {  # enter PID COMMAND...: in the caller's folder when it exists there
    local pid=$1; shift
    nsenter --target "$pid" "${kinds[@]}" -- bash -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
}

on_login() {
    local pid
    pid=$(login_pid) || fail "no cluster is up in $state"
    enter "$pid" "$@"
}

node_pid() { cat "$state/pid/$1" 2>/dev/null || fail "node $1 is off, or there is none"; }

on_node() {
    local pid
    pid=$(node_pid "$1"); shift
    on_login nsenter --target "$pid" "${kinds[@]}" -- bash -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
}

# ---- Hosts from inside.

private_folders() {  # what is a host's own; shared folders below /tmp are carried over into the new /tmp
    local name=$1 number=0 folder shared
    mapfile -t shared <"$state/shared"
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/munge /run/spool /run/carry
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    for folder in "${shared[@]}"; do
        mkdir "/run/carry/$number"
        mount --bind "$folder" "/run/carry/$number"
        number=$((number + 1))
    done
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    number=0
    for folder in "${shared[@]}"; do
        mkdir -p "$folder"
        mount --move "/run/carry/$number" "$folder"
        number=$((number + 1))
    done
    mount --bind "$state/etc/hosts" /etc/hosts
    mount --bind "$state/etc/nothing" /etc/resolv.conf
    mount --bind "$state/etc/slurm" /etc/slurm
    hostname "$name"
}

authentication() {
    install -m 400 "$state/etc/munge.key" /run/munge/key
    munged --key-file=/run/munge/key --socket=/run/munge/munge.socket.2 --seed-file=/run/munge/seed \
        --pid-file=/run/munge/pid --log-file=/run/munge/log --num-threads=2
}

first_process() {  # of a host: lives on and buries orphans
    trap '' HUP INT TERM
    while true; do sleep 1000 & wait $! || true; done
}

publish_pid() {  # what /proc, still the parent's, calls this process
    local pid rest
    read -r pid rest </proc/self/stat
    echo "$pid" >"$state/pid/.$1"
    : "$rest"
}

await() {  # await SECONDS COMMAND...: until it succeeds
    local deadline=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

be_login() {
    publish_pid login
    private_folders login
    ip link set lo up
    ip link add switch type bridge
    ip addr add $network.1/24 dev switch
    ip link set switch up
    authentication
    slurmctld -c -L "$state/log/slurmctld"
    mv "$state/pid/.login" "$state/pid/login"
    local node
    for node in $(cat "$state/nodes"); do power_on "$node" & done
    first_process
}

be_node() {
    local name=$1
    publish_pid "$name"
    private_folders "$name"
    ip link set lo up
    mv "$state/pid/.$name" "$state/pid/$name"
    await 20 ip link show eth0
    ip addr add $network.$((100 + ${name#n}))/24 dev eth0
    ip link set eth0 up
    authentication
    slurmd -L "$state/log/slurmd.$name"
    first_process
}

power_on() {  # on the login host
    local name=$1
    [ ! -e "$state/pid/$name" ] || fail "node $name is on"
    ip link delete "port-$name" 2>/dev/null || true
    setsid unshare "${kinds[@]}" --fork --kill-child bash "$script" .node "$state" "$name" \
        </dev/null >>"$state/log/host.$name" 2>&1 &
    await 20 test -e "$state/pid/$name" || fail "node $name does not start"
    ip link add "port-$name" type veth peer name eth0 netns "$(cat "$state/pid/$name")"
    ip link set "port-$name" master switch up
}

# ---- Configuration.

configure() {
    local nodes=$1 cpus=$2 i; shift 2
    if [ -e "$state" ] && [ ! -e "$state/nodes" ]; then fail "$state is there and no cluster's state: choose another folder"; fi
    rm -rf "$state"
    mkdir -p "$state"/{etc/slurm,log,pid,slurmctld}
    (umask 077; head -c 256 /dev/urandom >"$state/etc/munge.key")
    : >"$state/etc/nothing"
    : >"$state/nodes"
    printf '127.0.0.1 localhost\n%s login\n' $network.1 >"$state/etc/hosts"
    for ((i = 1; i <= nodes; i++)); do
        echo "n$i" >>"$state/nodes"
        echo "$network.$((100 + i)) n$i" >>"$state/etc/hosts"
    done
    printf '%s\n' "$state" "$repository" "$@" | { grep '^/tmp/' || true; } | sort -u >"$state/shared"
    # The tree fence of Slurm's PMIx plugin lets processes go at once when a job has fewer nodes than TreeWidth. Here the
    # default stays: it is the batch scripts that have to cope (SLURM_PMIX_FENCE).
    cat >"$state/etc/slurm/slurm.conf" <<CONFIG
ClusterName=galapagos
SlurmctldHost=login($network.1)
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$state/slurmctld
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/run/spool
AuthType=auth/munge
CredType=cred/munge
# A requeued job starts again after this many seconds (2 minutes without the setting).
AuthInfo=cred_expire=6
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=2,batch_sched_delay=0
# Quick to notice what is lost, and nodes come back by themselves.
SlurmdTimeout=8
TCPTimeout=2
BatchStartTimeout=10
KillWait=5
CompleteWait=0
ReturnToService=2
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n[1-$nodes] CPUs=$cpus State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2
CONFIG
}

# ---- Commands.

all_idle() { [ "$(on_login sinfo -h -N -p batch -t idle -o %N | sort -u | wc -l)" = "$(wc -l <"$state/nodes")" ]; }

up() {
    local nodes=4 cpus=1 shared=() tool
    while [ $# -gt 0 ]; do
        case $1 in
            --nodes) nodes=$2; shift 2 ;;
            --cpus) cpus=$2; shift 2 ;;
            --share) shared+=("$(realpath "$2")"); shift 2 ;;
            *) fail "up does not know $1" ;;
        esac
    done
    for tool in slurmctld slurmd munged unshare nsenter ip hostname; do
        command -v $tool >/dev/null || fail "$tool is not installed: ./setup.sh --slurm"
    done
    unshare "${kinds[@]}" --fork true 2>/dev/null || fail "this user may not make namespaces: needs root, or a privileged container"
    ! login_pid >/dev/null || fail "a cluster is up in $state"
    configure "$nodes" "$cpus" "${shared[@]}"
    setsid unshare "${kinds[@]}" --fork bash "$script" .login "$state" </dev/null >"$state/log/host.login" 2>&1 &
    if ! await 30 login_pid || ! await 60 all_idle; then
        tail -n 5 "$state"/log/* >&2 || true
        down
        fail "the nodes did not come up; logs are in $state/log"
    fi
    echo "$nodes nodes are up; state and logs in $state"
}

down() {
    local pid
    pid=$(login_pid) || return 0
    kill -KILL "$pid"
    await 10 eval '! login_pid' || fail "process $pid does not die"
    rm -f "$state"/pid/*
}

power_off() {
    local pid
    pid=$(node_pid "$1")
    # The cable first: a host without power says no goodbye to its peers.
    on_login ip link set "port-$1" down
    on_login kill -KILL "$pid"
    rm -f "$state/pid/$1"
}

unset SLURM_CONF
command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    up) up "$@" ;;
    down) down ;;
    status) on_login sinfo -N -l; on_login squeue ;;
    run) on_login "$@" ;;
    on) on_node "$@" ;;
    power-off) power_off "$1" ;;
    power-on) on_login bash "$script" .power-on "$state" "$1" ;;
    shell) on_login bash -i ;;
    .login) be_login ;;
    .node) be_node "$2" ;;
    .power-on) power_on "$2" ;;
    *) sed -n '2,/^set -e/{/^set/d; s/^# \{0,1\}//; p}' "$script"; exit 2 ;;
esac
