# shellcheck shell=bash
# AWS ParallelCluster with EFA and NVIDIA GPUs: an example. Copy it, change it, and source the copy on the login node; the
# batch scripts source it again inside the job.
GALAPAGOS_PROFILE=$(realpath "${BASH_SOURCE[0]}")
export GALAPAGOS_PROFILE

# export SBATCH_PARTITION=p5
export SBATCH_GPUS_PER_NODE=8

# The Open MPI that comes with the EFA installer knows the network.
export PATH=/opt/amazon/openmpi/bin:$PATH
export LD_LIBRARY_PATH=/opt/amazon/openmpi/lib:/opt/amazon/efa/lib:/opt/amazon/ofi-nccl/lib:${LD_LIBRARY_PATH:-}

export FI_PROVIDER=efa
# An error where the plugin is missing, not silent TCP.
export NCCL_NET='AWS Libfabric'
# Neither the loopback nor Docker's bridge.
export NCCL_SOCKET_IFNAME='^lo,docker'
export OMPI_MCA_btl_tcp_if_exclude=lo,docker0

# Each node copies the models here once and reads the copies.
# export GALAPAGOS_STAGE=/scratch
