#include "task/rolling_windows.hpp"

#include <algorithm>
#include <cstddef>

namespace galapagos {

std::vector<ScoreRequest> rolling_windows(const std::vector<std::int32_t>& ids, std::int32_t prefix,
                                          int window) {
    const auto size = static_cast<std::ptrdiff_t>(ids.size());
    const auto most = static_cast<std::ptrdiff_t>(window);
    std::vector<ScoreRequest> rows;
    for (std::ptrdiff_t done = 0; done < size;) {
        const std::ptrdiff_t end = std::min(done + most, size);
        ScoreRequest row;
        if (done == 0) {
            row.context = {prefix};
        } else {
            row.context.assign(ids.begin() + (end - most - 1), ids.begin() + done);
        }
        row.continuation.assign(ids.begin() + done, ids.begin() + end);
        rows.push_back(std::move(row));
        done = end;
    }
    return rows;
}

}  // namespace galapagos
