#pragma once

#include <string>

namespace galapagos {

/// This machine's name; "unknown" where it has none.
std::string host_name();

}  // namespace galapagos
