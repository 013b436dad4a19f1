# shellcheck shell=bash
# HPE Cray EX with Slingshot and NVIDIA GPUs: an example. Copy it, change it, and source the copy on the login node; the batch
# scripts source it again inside the job.
GALAPAGOS_PROFILE=$(realpath "${BASH_SOURCE[0]}")
export GALAPAGOS_PROFILE

# export SBATCH_ACCOUNT=my_project
# export SBATCH_CONSTRAINT=gpu
export SBATCH_GPUS_PER_NODE=4

# module load PrgEnv-gnu cudatoolkit cray-hdf5
# Cray MPICH is started by its own plugin.
export GALAPAGOS_LAUNCHER='srun --mpi=cray_shasta'

# MPI carries only control messages and small vectors, from host memory.
export MPICH_GPU_SUPPORT_ENABLED=0
# NCCL over libfabric. Naming the transport makes a missing plugin an error, where it would be silent and slow TCP otherwise.
export NCCL_NET='AWS Libfabric'
export NCCL_SOCKET_IFNAME=hsn
export NCCL_CROSS_NIC=1
export NCCL_NET_GDR_LEVEL=PHB
# What the libfabric provider of Slingshot needs with NCCL.
export FI_CXI_DISABLE_HOST_REGISTER=1
export FI_MR_CACHE_MONITOR=userfaultfd
export FI_CXI_DEFAULT_CQ_SIZE=131072
export FI_CXI_RX_MATCH_MODE=hybrid

# Each node copies the models here once and reads the copies.
# export GALAPAGOS_STAGE=/tmp
