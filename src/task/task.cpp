#include "task/task.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/nearest.hpp"
#include "base/yaml.hpp"
#include "task/item_file.hpp"
#include "task/task_kind.hpp"

namespace galapagos {

namespace {

constexpr int format_version = 1;

const std::vector<std::string>& split_names() {
    static const std::vector<std::string> names{"train", "validation", "test"};
    return names;
}

bool is_name(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

// What makes two items the same question.
std::string question_of(const Item& item) {
    std::string question = item.prompt.empty() ? item.target : item.prompt;
    for (const std::string& choice : item.choices) {
        question += '\0' + choice;
    }
    return question;
}

}  // namespace

std::string_view name_of(Split split) { return split_names()[static_cast<std::size_t>(split)]; }

/// Reads one task file. Keeps what the checks across items need.
class TaskReader {
  public:
    explicit TaskReader(const std::filesystem::path& path)
        : path_(path), root_(open(path)), kind_(read_task_kind(root_)) {}

    Task read() {
        check_keys();
        task_.path_ = path_;
        task_.name_ = root_.at("name").as_string();
        if (!is_name(task_.name_)) {
            root_.at("name").fail("a name has only letters, digits, '-', '_' and '.'");
        }
        task_.add_special_tokens_ = !std::holds_alternative<PerplexitySettings>(kind_.settings);
        if (const auto add_special_tokens = root_.find("add_special_tokens")) {
            task_.add_special_tokens_ = add_special_tokens->as_bool();
        }
        if (const auto id_field = root_.find("id_field")) {
            id_field_ = id_field->as_string();
        }
        task_.settings_ = kind_.settings;
        read_items(root_.at("items"));
        settle_special_tokens();
        task_.sha256_ = sha256();
        return std::move(task_);
    }

  private:
    static YamlReader open(const std::filesystem::path& path) {
        constexpr const char* hint =
            "a task is a YAML file with items beside it: config/tasks/README.md";
        if (!std::filesystem::exists(path))
            throw UsageError(path.string() + ": can't open the task", "no such file", hint);
        YamlReader root = YamlReader::from_file(path);
        if (root.is_map() && !root.has("galapagos_task"))
            root.fail("the key 'galapagos_task' is missing", hint);
        return root;
    }

    struct Occurrence {
        Split split;
        std::string place;
    };

    void check_keys() const {
        std::vector<std::string> keys{"galapagos_task", "name",     "kind",
                                      "items",          "id_field", "add_special_tokens"};
        keys.insert(keys.end(), kind_.keys.begin(), kind_.keys.end());
        root_.allow_only(keys);
        const YamlReader version = root_.at("galapagos_task");
        if (version.as_int() != format_version) {
            version.fail("this galapagos reads format version " + std::to_string(format_version));
        }
    }

    std::string sha256() const {
        Sha256 hash;
        const auto add = [&](const std::string& text) {
            const std::string part = std::to_string(text.size()) + ':' + text;
            hash.add(std::as_bytes(std::span(part)));
        };
        for (const std::string& key : root_.keys()) {
            if (key != "items") add(key + ": " + YAML::Dump(root_.at(key).node()));
        }
        for (const Split split : all_splits) {
            for (const Item& item : task_.items(split)) {
                add(std::string(name_of(split)));
                for (const std::string& text : {item.id, item.prompt, item.target}) add(text);
                for (const std::string& target : item.more_targets) add(target);
                for (const std::string& choice : item.choices) add(choice);
                for (const std::size_t right : item.gold) add(std::to_string(right));
            }
        }
        return hash.hex();
    }

    // A rendered prompt holds its BOS already: the tokenizer must not put a second one in front.
    void settle_special_tokens() {
        if (rendered_places_[0].empty() || rendered_places_[1].empty()) {
            const bool rendered = !rendered_places_[1].empty();
            const auto asked = root_.find("add_special_tokens");
            if (rendered && asked && asked->as_bool()) {
                asked->fail(
                    "the prompts were rendered with a chat template, which writes its own "
                    "special tokens; remove the key");
            }
            task_.add_special_tokens_ = task_.add_special_tokens_ && !rendered;
            return;
        }
        throw UsageError(rendered_places_[0] + ": the item has no chat_template_sha256",
                         "others have one, such as " + rendered_places_[1],
                         "render all items of a task with config/render_chat.py, or none");
    }

    void read_items(const YamlReader& node) {
        if (node.has("file")) {
            node.allow_only({"file", "split_field"});
            read_common_file(node);
        } else {
            node.allow_only(split_names());
            for (const Split split : all_splits) {
                if (const auto file = node.find(name_of(split))) {
                    read_split_file(*file, split);
                }
            }
        }
        const bool empty = std::all_of(task_.items_.begin(), task_.items_.end(),
                                       [](const auto& items) { return items.empty(); });
        if (empty) {
            node.fail("the task has no items");
        }
    }

    void read_split_file(const YamlReader& file, Split split) {
        const std::vector<JsonLine> lines = read_json_lines(path_of(file));
        if (lines.empty()) {
            file.fail("the file has no items");
        }
        for (const JsonLine& line : lines) {
            add_item(line, split);
        }
    }

    void read_common_file(const YamlReader& node) {
        const std::string split_field = node.at("split_field").as_string();
        for (const JsonLine& line : read_json_lines(path_of(node.at("file")))) {
            const auto field = line.fields.find(split_field);
            const std::string name =
                field != line.fields.end() && field->is_string() ? field->get<std::string>() : "";
            const auto found = std::find(split_names().begin(), split_names().end(), name);
            if (found == split_names().end()) {
                throw UsageError(line.place + ": the field '" + split_field + "' names no split",
                                 "", name_hint(name, split_names()));
            }
            add_item(line, all_splits[static_cast<std::size_t>(found - split_names().begin())]);
        }
    }

    std::filesystem::path path_of(const YamlReader& file) const {
        return path_.parent_path() / file.as_string();
    }

    void add_item(const JsonLine& line, Split split) {
        Item item;
        item.place = line.place;
        item.id = id_of(line);
        kind_.fill(line.fields, item);
        if (const auto hash = line.fields.find("chat_template_sha256"); hash != line.fields.end()) {
            if (!hash->is_string() || hash->get<std::string>().empty()) {
                throw UsageError(item.place + ": chat_template_sha256 isn't a text", "",
                                 "render the items again with config/render_chat.py");
            }
            item.chat_template_sha256 = hash->get<std::string>();
        }
        rendered_places_[item.chat_template_sha256.empty() ? 0 : 1] = item.place;
        const auto [same_id, new_id] = ids_.emplace(item.id, item.place);
        if (!new_id) {
            throw UsageError(item.place + ": the id \"" + item.id + "\" occurs twice",
                             "first at " + same_id->second, "ids are unique in a task");
        }
        const auto [same, new_question] =
            questions_.emplace(question_of(item), Occurrence{split, item.place});
        if (!new_question && same->second.split != split) {
            throw UsageError(
                item.place + ": the same question is in two splits",
                "also in " + std::string(name_of(same->second.split)) + " at " + same->second.place,
                "what the search has seen can't judge its result; remove one");
        }
        task_.items_[static_cast<std::size_t>(split)].push_back(std::move(item));
    }

    std::string id_of(const JsonLine& line) const {
        const auto field = line.fields.find(id_field_);
        if (field == line.fields.end()) {
            return std::filesystem::path(line.place).filename().string();
        }
        if (field->is_string() && !field->get<std::string>().empty()) {
            return field->get<std::string>();
        }
        if (!field->is_number_integer()) {
            throw UsageError(line.place + ": the field '" + id_field_ + "' can't be an id",
                             "it holds " + field->dump(), "use a text or a whole number");
        }
        return field->dump();
    }

    std::filesystem::path path_;
    YamlReader root_;
    TaskKind kind_;
    std::string id_field_ = "id";
    std::unordered_map<std::string, std::string> ids_;
    std::unordered_map<std::string, Occurrence> questions_;
    std::array<std::string, 2> rendered_places_;  // of an item written by hand, of a rendered one
    Task task_;
};

Task Task::load(const std::filesystem::path& path) { return TaskReader(path).read(); }

}  // namespace galapagos
