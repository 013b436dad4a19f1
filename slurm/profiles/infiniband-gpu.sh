# shellcheck shell=bash
# Nodes with NVIDIA GPUs and InfiniBand: an example. Copy it, change it, and source the copy on the login node; the batch
# scripts source it again inside the job.
GALAPAGOS_PROFILE=$(realpath "${BASH_SOURCE[0]}")
export GALAPAGOS_PROFILE

# export SBATCH_ACCOUNT=my_project
# export SBATCH_PARTITION=gpu
# All GPUs of a node, for all its ranks to see. A rank takes the one of its number on the node: start as many ranks as there
# are GPUs (sbatch --ntasks-per-node=4). Not --gpus-per-task, which hides a rank's GPU from its neighbours.
export SBATCH_GPUS_PER_NODE=4

# module load gcc/12 cuda/13.0 openmpi/4.1-cuda hdf5/1.14

# UCX carries MPI. NCCL finds the cards itself; name them where management ports have the same driver.
export OMPI_MCA_pml=ucx
# export UCX_NET_DEVICES=mlx5_0:1,mlx5_1:1
# export NCCL_IB_HCA=mlx5_0,mlx5_1
# The interface over which NCCL's processes find each other.
# export NCCL_SOCKET_IFNAME=ib0
# Kernels compiled on the node stay off the home folder.
export CUDA_CACHE_PATH=${TMPDIR:-/tmp}/cuda-cache-$USER

# Each node copies the models here once and reads the copies.
# export GALAPAGOS_STAGE=/local/$USER
