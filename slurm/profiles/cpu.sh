# shellcheck shell=bash
# A cluster without GPUs, Ethernet or InfiniBand: an example. Copy it, change it, and source the copy on the login node; the
# batch scripts source it again inside the job.
GALAPAGOS_PROFILE=$(realpath "${BASH_SOURCE[0]}")
export GALAPAGOS_PROFILE

# What sbatch is to assume (the options of the command line win over these).
# export SBATCH_ACCOUNT=my_project
# export SBATCH_PARTITION=cpu
# One thread a core: merging and inference gain nothing from a second.
export SBATCH_HINT=nomultithread

# What the program was built with.
# module load gcc/12 openmpi/4.1 hdf5/1.14

# With several network cards, Open MPI's TCP transport should use the fast one only:
# export OMPI_MCA_btl_tcp_if_include=eth1

# Each node copies the models here once and reads the copies.
# export GALAPAGOS_STAGE=/local/$USER
