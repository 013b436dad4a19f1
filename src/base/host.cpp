#include "base/host.hpp"

#include <unistd.h>

namespace galapagos {

std::string host_name() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name[0] == '\0' ? "unknown" : name;
}

}  // namespace galapagos
