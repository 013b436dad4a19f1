// Chat templates that recipes name instead of writing them out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// The Jinja text called `name`; nothing if there is none.
std::optional<std::string_view> find_chat_template(std::string_view name);

std::vector<std::string> chat_template_names();

}  // namespace galapagos
