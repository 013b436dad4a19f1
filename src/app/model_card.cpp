#include "app/model_card.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "app/version.hpp"
#include "base/files.hpp"
#include "history/records.hpp"

namespace galapagos {
namespace {

/// The licence that a folder states: `license` of the metadata block of its README.md, else the
/// presence of a LICENSE file.
std::string licence_of(const std::filesystem::path& folder) {
    const auto card = folder / "README.md";
    if (std::filesystem::exists(card)) {
        const auto text = read_text(card);
        const auto at = text.find("\nlicense:");
        if (text.starts_with("---") && at != std::string::npos) {
            const auto begin = text.find_first_not_of(' ', at + 9);
            return text.substr(begin, text.find('\n', begin) - begin);
        }
    }
    if (std::filesystem::exists(folder / "LICENSE")) return "see its LICENSE file";
    return "not stated";
}

/// Text of one cell of a table.
std::string cell(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    return out;
}

/// An argument as a shell reads it.
std::string shell_quoted(const std::string& argument) {
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("_@%+=:,./-").find(c) != std::string::npos;
    };
    if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) return argument;
    std::string out = "'";
    for (const char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string score_row(const nlohmann::json& result, const char* stage) {
    if (!result.contains(stage) || !result[stage].is_object() || !result[stage].contains("fitness"))
        return "";
    return fmt::format("| {} | {:.4f} |\n", stage, result[stage]["fitness"].get<double>());
}

}  // namespace

std::string model_card(const Config& config,
                       const std::vector<std::shared_ptr<const Source>>& models,
                       const ExportedCandidate& candidate, const Recipe& recipe,
                       const std::vector<std::string>& command) {
    const auto entries = config.models();
    std::set<std::string> licences;
    std::string parents;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto folder = entries[i].adapter.empty() ? entries[i].model : entries[i].adapter;
        auto licence = licence_of(folder);
        if (licence == "not stated" && !entries[i].adapter.empty())
            licence = licence_of(entries[i].model);
        licences.insert(licence);
        parents += fmt::format("| {} | `{}` | {} | `{}` |\n", cell(entries[i].name),
                               cell(entries[i].reference()), cell(licence),
                               models[i]->sha256().substr(0, 16));
    }
    std::string scores = score_row(candidate.result, "train") +
                         score_row(candidate.result, "validation") +
                         score_row(candidate.result, "test");
    std::string card = "---\nlibrary_name: transformers\ntags: [merge, galapagos]\n";
    if (licences.size() == 1 && licences.begin()->find(' ') == std::string::npos)
        card += "license: " + *licences.begin() + "\n";
    card += fmt::format(
        "---\n\n# {}\n\nA merge of language models that evolution found with galapagos {} ({}). "
        "Candidate {} of seed {}.\n\n",
        config.name, program_version, git_describe, candidate_name(candidate.id), config.seed);
    card += "## Parents\n\n| name | model | licence | SHA-256 |\n|---|---|---|---|\n" + parents;
    if (licences.size() > 1)
        card += "\nThe parents' licences differ: the merged model is bound by all of them.\n";
    if (!scores.empty()) card += "\n## Scores\n\n| split | fitness |\n|---|---|\n" + scores;
    card += fmt::format("\n## Recipe\n\nFor `galapagos merge`{}:\n\n```yaml\n{}```\n",
                        recipe.layer_path ? "" : ", in mergekit's format", to_yaml(recipe));
    std::vector<std::string> words;
    for (const auto& argument : command) words.push_back(shell_quoted(argument));
    card += fmt::format("\n## Command\n\n```sh\n{}\n```\n", fmt::join(words, " "));
    return card;
}

}  // namespace galapagos
