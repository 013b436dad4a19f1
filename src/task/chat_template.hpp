#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "task/task.hpp"

namespace galapagos {

/// SHA-256 of each chat template of a model folder: chat_template.jinja and
/// additional_chat_templates/*.jinja, or, without these, `chat_template` in tokenizer_config.json
/// (one text, or a list with names).
std::vector<std::string> chat_template_hashes(const std::filesystem::path& model_folder);

/// Checks that the prompts of `items` that config/render_chat.py wrote come from a chat template of
/// `model_folder`. Throws UsageError, naming file, line and both hashes, otherwise.
void check_chat_template(const std::vector<Item>& items, const std::filesystem::path& model_folder);

}  // namespace galapagos
