#include "history/verify.hpp"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/checkpoint.hpp"
#include "history/history_reader.hpp"
#include "history/repair.hpp"
#include "history/run_directory.hpp"
#include "history/run_index.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

const char* name_of(Severity severity) {
    switch (severity) {
        case Severity::note:
            return "note";
        case Severity::warning:
            return "warning";
        case Severity::damage:
            return "damage";
    }
    return "";
}

/// Collects findings over the files of a run.
class Verifier {
  public:
    Verifier(bool repair) : repair_(repair) {}

    void check_part(const fs::path& file) {
        ++report_.files;
        try {
            HistoryPart part = read_part(file, {.answers = true});
            for (const std::string& warning : part.warnings) add(Severity::note, file, warning);
            if (!part.clean) check_unclosed(part);
            count(part);
            parts_.push_back(std::move(part));
        } catch (const Error& error) {
            add(Severity::damage, file, error.what());
            if (repair_) mend_part(file);
        }
    }

    std::optional<RunIndex> check_index(const fs::path& file) {
        ++report_.files;
        try {
            return read_run_index(file);
        } catch (const Error& error) {
            add(Severity::damage, file, error.what());
            return std::nullopt;
        }
    }

    std::optional<Checkpoint> check_checkpoint(const fs::path& file, Severity severity) {
        ++report_.files;
        try {
            return read_checkpoint(file);
        } catch (const Error& error) {
            add(severity, file, error.what());
            if (repair_ && severity != Severity::damage) set_aside(file);
            return std::nullopt;
        }
    }

    void check_run(const RunLayout& layout);

    VerifyReport take() { return std::move(report_); }

  private:
    void add(Severity severity, const fs::path& file, const std::string& text,
             bool repaired = false) {
        report_.findings.push_back({severity, file, text, repaired});
    }

    void count(const HistoryPart& part) {
        report_.generations += part.generations.size();
        report_.candidates += part.candidates.size();
    }

    void check_unclosed(const HistoryPart& part) {
        add(Severity::note, part.file, "not closed by its writer; all its generations are whole");
        if (!repair_) return;
        rewrite_part(part);
        report_.findings.back().repaired = true;
    }

    void mend_part(const fs::path& file) {
        try {
            const HistoryPart part = rescue_part(file);
            set_aside(file);
            rewrite_part(part);
            report_.findings.back().repaired = true;
            report_.findings.back().text +=
                fmt::format("; {} whole generations kept", part.generations.size());
            count(part);
            parts_.push_back(part);
        } catch (const Error& error) {
            add(Severity::note, file, fmt::format("beyond repair: {}", error.what()));
        }
    }

    void set_aside(const fs::path& file) {
        fs::rename(file, file.string() + ".damaged");
        report_.findings.back().repaired = true;
    }

    void check_islands(const RunLayout& layout);
    void check_checkpoints(const RunLayout& layout, const IslandHistory& island);
    void check_config(const RunLayout& layout, const std::optional<RunIndex>& index);

    bool repair_;
    VerifyReport report_;
    std::vector<HistoryPart> parts_;
};

void Verifier::check_islands(const RunLayout& layout) {
    for (const uint32_t island : islands_in(layout)) {
        parts_.clear();
        for (const int part : parts_of(layout, island)) check_part(layout.part(island, part));
        try {
            const IslandHistory joined = join_parts(parts_);
            for (const std::string& warning : joined.warnings)
                if (warning.find("was expected") != std::string::npos)
                    add(Severity::damage, layout.islands(), warning);
            check_checkpoints(layout, joined);
        } catch (const Error& error) {
            add(Severity::damage, layout.islands(), error.what());
        }
    }
}

void Verifier::check_checkpoints(const RunLayout& layout, const IslandHistory& island) {
    const CheckpointStore store(layout.checkpoints(), island.island, std::string(64, '0'));
    std::optional<Checkpoint> newest;
    const auto generations = store.generations();
    for (const uint64_t generation : generations) {
        // One damaged file costs nothing while an older one is whole.
        const bool last_hope = generation == generations.back() && !newest;
        auto checkpoint = check_checkpoint(store.file(generation),
                                           last_hope ? Severity::damage : Severity::warning);
        if (!newest) newest = std::move(checkpoint);
    }
    const uint64_t known = island.generations.empty() ? island.first_generation
                                                      : island.generations.back().generation + 1;
    if (newest && newest->generation > known)
        add(Severity::damage, store.file(newest->generation),
            fmt::format("{} generations told, the history of island {} has {}", newest->generation,
                        island.island, known));
}

void Verifier::check_config(const RunLayout& layout, const std::optional<RunIndex>& index) {
    if (!fs::exists(layout.config())) {
        add(Severity::damage, layout.config(), "missing");
        if (repair_ && index) {
            write_atomically(layout.config(), index->config_yaml);
            report_.findings.back().repaired = true;
        }
        return;
    }
    ++report_.files;
    try {
        RunConfig{read_text(layout.config()), {}}.hash();
    } catch (const Error& error) {
        add(Severity::damage, layout.config(), error.what());
    }
}

void Verifier::check_run(const RunLayout& layout) {
    std::optional<RunIndex> index;
    if (fs::exists(layout.index()))
        index = check_index(layout.index());
    else
        add(Severity::warning, layout.index(), "missing; the next attempt writes it again");
    check_config(layout, index);
    for (const fs::path& file : temporary_files(layout)) {
        add(Severity::note, file, "left unfinished by a killed process");
        if (repair_) report_.findings.back().repaired = fs::remove(file);
    }
    check_islands(layout);
}

bool has_prefix(const fs::path& file, const std::string& prefix) {
    std::ifstream in(file, std::ios::binary);
    std::string head(prefix.size(), '\0');
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    return in && head == prefix;
}

bool is_hdf5(const fs::path& file) { return has_prefix(file, "\x89HDF\r\n\x1a\n"); }

bool is_checkpoint(const fs::path& file) {
    return has_prefix(file, "GALPCKPT") || file.extension() == ".ckpt";
}

bool holds_a_run(const RunLayout& layout) {
    return fs::exists(layout.index()) || fs::exists(layout.config()) || !islands_in(layout).empty();
}

void require_something_of_a_run(const fs::path& path) {
    const auto refuse = [&](const char* why) {
        throw Error(fmt::format("can't verify {}", path.string()), why,
                    "Name the run directory of galapagos evolve, or a file in it.");
    };
    if (fs::is_directory(path)) {
        if (!holds_a_run(RunLayout{path})) refuse("it holds no run");
    } else if (!fs::is_regular_file(path)) {
        refuse("no such file or directory");
    } else if (!is_checkpoint(path) && path.extension() != ".h5" && !is_hdf5(path)) {
        refuse("it is no file of a run");
    }
}

}  // namespace

bool VerifyReport::sound() const {
    for (const Finding& finding : findings)
        if (finding.severity == Severity::damage && !finding.repaired) return false;
    return true;
}

std::string VerifyReport::text() const {
    std::string text;
    for (const Finding& finding : findings)
        text += fmt::format("{}: {}: {}{}\n", name_of(finding.severity), finding.file.string(),
                            finding.text, finding.repaired ? " [repaired]" : "");
    return text + fmt::format("{} files, {} generations, {} candidates: {}\n", files, generations,
                              candidates, sound() ? "sound" : "DAMAGED");
}

std::string VerifyReport::json() const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Finding& finding : findings)
        list.push_back({{"severity", name_of(finding.severity)},
                        {"file", finding.file.string()},
                        {"text", finding.text},
                        {"repaired", finding.repaired}});
    const nlohmann::ordered_json document{{"sound", sound()},
                                          {"files", files},
                                          {"generations", generations},
                                          {"candidates", candidates},
                                          {"findings", list}};
    return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

VerifyReport verify(const fs::path& path, bool repair) {
    require_something_of_a_run(path);
    const bool folder = fs::is_directory(path);
    const bool in_run = parse_part_name(path.filename()) && path.has_parent_path();
    const fs::path root = folder ? path : in_run ? path.parent_path().parent_path() : fs::path();
    // Under the lock, no run can start or go on while files are replaced.
    std::optional<RunLock> lock;
    if (repair && !root.empty() && fs::exists(RunLayout{root}.lock()))
        lock.emplace(RunLayout{root}.lock());

    Verifier verifier(repair);
    if (folder)
        verifier.check_run(RunLayout{path});
    else if (is_checkpoint(path))
        verifier.check_checkpoint(path, Severity::damage);
    else if (path.filename() == "run.h5")
        verifier.check_index(path);
    else
        verifier.check_part(path);
    return verifier.take();
}

}  // namespace galapagos
