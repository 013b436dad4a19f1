#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/commands.hpp"
#include "history/history_report.hpp"
#include "history/run_layout.hpp"
#include "history/run_lock.hpp"
#include "history/verify.hpp"

namespace galapagos {
namespace {

/// Prints the report again whenever a generation was added, until the run's process is gone.
void follow(const std::string& run, const HistoryReportOptions& options) {
    std::string shown;
    while (true) {
        const bool live = lock_holder(RunLayout{run}.lock()).has_value();
        const auto text = history_text(read_run(run), options);
        if (text != shown) fmt::print("{}\n", text);
        std::fflush(stdout);
        shown = text;
        if (!live) return;
        ::sleep(2);
    }
}

}  // namespace

Command add_history_command(CLI::App& program) {
    struct Arguments {
        std::string run;
        bool json = false, follow = false;
        HistoryReportOptions options;
    };
    const auto arguments = std::make_shared<Arguments>();
    auto* command =
        program.add_subcommand("history", "Show what happened in a run, also while it goes on");
    command->add_option("run", arguments->run, "run directory")->required();
    command->add_flag("--json", arguments->json,
                      "one JSON document with everything but the answers");
    command->add_flag("--follow", arguments->follow, "go on while the run lives");
    command->add_option("--last", arguments->options.last_generations,
                        "generations shown an island; 0: all");
    return [arguments](const ProgramContext& context) {
        if (!context.world.is_root()) return 0;
        if (arguments->follow)
            follow(arguments->run, arguments->options);
        else if (arguments->json)
            fmt::print("{}\n", history_json(read_run(arguments->run)));
        else
            fmt::print("{}", history_text(read_run(arguments->run), arguments->options));
        return 0;
    };
}

Command add_verify_command(CLI::App& program) {
    struct Arguments {
        std::string path;
        bool json = false, repair = false;
    };
    const auto arguments = std::make_shared<Arguments>();
    auto* command =
        program.add_subcommand("verify", "Check a run directory, a history file or a checkpoint");
    command->add_option("path", arguments->path, "run directory or file")->required();
    command->add_flag("--repair", arguments->repair, "mend what can be mended; originals are kept");
    command->add_flag("--json", arguments->json, "print one JSON document");
    return [arguments](const ProgramContext& context) {
        if (!context.world.is_root()) return 0;
        const auto report = verify(arguments->path, arguments->repair);
        fmt::print("{}\n", arguments->json ? report.json() : report.text());
        return report.sound() ? 0 : 1;
    };
}

}  // namespace galapagos
