#include "history/records.hpp"

#include <fmt/format.h>

namespace galapagos {

std::string candidate_name(uint64_t id) {
    if (id == no_candidate) return "-";
    return fmt::format("{}:{}", island_of(id), counter_of(id));
}

const std::vector<std::string>& origin_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (int i = 0; i <= static_cast<int>(Origin::reset); ++i)
            all.emplace_back(name_of(static_cast<Origin>(i)));
        return all;
    }();
    return names;
}

const std::vector<std::string>& candidate_status_names() {
    static const std::vector<std::string> names{"evaluated", "reused", "failed"};
    return names;
}

const std::vector<std::string>& migration_direction_names() {
    static const std::vector<std::string> names{"sent", "accepted", "refused"};
    return names;
}

}  // namespace galapagos
