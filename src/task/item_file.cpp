#include "task/item_file.hpp"

#include <cstddef>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"

namespace galapagos {

std::vector<JsonLine> read_json_lines(const std::filesystem::path& path) {
    std::error_code unreadable;
    if (!std::filesystem::is_regular_file(path, unreadable)) {
        throw UsageError("can't read the items of a task", path.string() + " isn't a file",
                         "paths are relative to the task file");
    }
    const MappedFile file(path);
    std::string_view rest = file.text();
    std::vector<JsonLine> lines;
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t size = rest.find('\n');
        const std::string_view line = rest.substr(0, size);
        rest.remove_prefix(size == std::string_view::npos ? rest.size() : size + 1);
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        const std::string place = path.string() + ":" + std::to_string(number);
        nlohmann::json fields = parse_json_strict(line, place);
        if (!fields.is_object()) {
            throw UsageError(place + ": an item must be a JSON object",
                             std::string("this line is ") + fields.type_name());
        }
        lines.push_back({place, std::move(fields)});
    }
    return lines;
}

}  // namespace galapagos
