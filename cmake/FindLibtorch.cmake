# Imports the CPU half of libtorch (c10, torch_cpu) from a Python wheel or a libtorch archive.
#
# The wheel's own TorchConfig.cmake insists on a CUDA toolkit; only the libraries and headers are needed here.
# Looks in Libtorch_ROOT, then in the virtual environment that setup.sh makes, or where that has it from.
# Defines the target Libtorch::torch and the variable Libtorch_VERSION.
file(GLOB torch_packages LIST_DIRECTORIES true "${GALAPAGOS_DEPS}/venv/lib/python3*/site-packages/torch")
if(NOT torch_packages)
  execute_process(COMMAND "${GALAPAGOS_DEPS}/venv/bin/python" -c "import importlib.util as u; print(*u.find_spec('torch').submodule_search_locations)"
    OUTPUT_VARIABLE torch_packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_path(Libtorch_INCLUDE_DIR ATen/ATen.h HINTS ${Libtorch_ROOT} ${torch_packages} PATH_SUFFIXES include)
if(Libtorch_INCLUDE_DIR)
  get_filename_component(Libtorch_PREFIX "${Libtorch_INCLUDE_DIR}" DIRECTORY)
endif()
find_library(Libtorch_CPU_LIBRARY torch_cpu HINTS ${Libtorch_PREFIX} PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_library(Libtorch_C10_LIBRARY c10 HINTS ${Libtorch_PREFIX} PATH_SUFFIXES lib NO_DEFAULT_PATH)
if(EXISTS "${Libtorch_INCLUDE_DIR}/torch/headeronly/version.h")
  file(READ "${Libtorch_INCLUDE_DIR}/torch/headeronly/version.h" version_header)
  foreach(part MAJOR MINOR PATCH)
    string(REGEX MATCH "TORCH_VERSION_${part} ([0-9]+)" ignored "${version_header}")
    list(APPEND version_parts "${CMAKE_MATCH_1}")
  endforeach()
  list(JOIN version_parts "." Libtorch_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS Libtorch_CPU_LIBRARY Libtorch_C10_LIBRARY Libtorch_INCLUDE_DIR
  VERSION_VAR Libtorch_VERSION
  REASON_FAILURE_MESSAGE "run ./setup.sh, or set Libtorch_ROOT to the folder that holds include/ and lib/")

if(Libtorch_FOUND AND NOT TARGET Libtorch::torch)
  # libtorch_cpu.so of the CUDA wheel needs libcupti and libcudart: setup.sh puts their wheels beside torch.
  file(GLOB cuda_wheel_dirs LIST_DIRECTORIES true
       "${Libtorch_PREFIX}/../nvidia/*/lib" "${Libtorch_PREFIX}/../nvidia/*/*/lib")
  add_library(Libtorch::torch INTERFACE IMPORTED)
  target_include_directories(Libtorch::torch SYSTEM INTERFACE
    "${Libtorch_INCLUDE_DIR}" "${Libtorch_INCLUDE_DIR}/torch/csrc/api/include")
  target_link_libraries(Libtorch::torch INTERFACE "${Libtorch_CPU_LIBRARY}" "${Libtorch_C10_LIBRARY}")
  target_link_options(Libtorch::torch INTERFACE "LINKER:--no-as-needed" "LINKER:--allow-shlib-undefined"
    "LINKER:-rpath,${Libtorch_PREFIX}/lib")
  foreach(dir IN LISTS cuda_wheel_dirs)
    target_link_options(Libtorch::torch INTERFACE "LINKER:-rpath,${dir}" "LINKER:-rpath-link,${dir}")
  endforeach()
endif()
