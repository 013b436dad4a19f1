#include "model/threads.hpp"

#include <ATen/Parallel.h>

namespace galapagos {

void set_model_threads(int count) { at::set_num_threads(count); }

}  // namespace galapagos
