#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/yaml.hpp"
#include "task/task.hpp"

namespace galapagos {

/// What the kind of a task decides: its settings, and how an item's fields become its texts.
struct TaskKind {
    TaskSettings settings;

    /// Fills prompt, target, choices and gold of an item whose `place` is set. Throws UsageError,
    /// beginning with the place.
    std::function<void(const nlohmann::json& fields, Item& item)> fill;

    std::vector<std::string> keys;  // top-level keys of the task file that belong to the kind
};

/// Reads `kind` and the keys that belong to it from the root of a task file.
TaskKind read_task_kind(const YamlReader& root);

}  // namespace galapagos
