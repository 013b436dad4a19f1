// galapagos: evolutionary model merging on clusters.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/together.hpp"
#include "app/version.hpp"
#include "island/stopping.hpp"
#include "model/memory.hpp"

namespace galapagos {
namespace {

int run(const ProgramContext& context, CLI::App& program, int argc, char** argv) {
    std::vector<std::pair<CLI::App*, Command>> commands;
    const auto add = [&](Command (*adder)(CLI::App&)) {
        auto command = adder(program);
        commands.emplace_back(program.get_subcommands({}).back(), std::move(command));
    };
    add(add_evolve_command);
    add(add_merge_command);
    add(add_evaluate_command);
    add(add_export_command);
    add(add_history_command);
    add(add_verify_command);
    add(add_plan_command);
    add(add_doctor_command);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (!context.world.is_root()) return error.get_exit_code() == 0 ? 0 : 2;
        return program.exit(error) == 0 ? 0 : 2;
    }
    for (const auto& [subcommand, command] : commands) {
        if (!subcommand->parsed()) continue;
        if (subcommand->get_name() != "evolve") release_stop_signals();
        return command(context);
    }
    return 2;
}

/// Prints what went wrong once, and returns the exit status.
int run_as_a_rank(CLI::App& program, int argc, char** argv) {
    const auto world = Communicator::world();
    try {
        return run({world, {argv, argv + argc}}, program, argc, argv);
    } catch (const CollectiveError& error) {
        return world.is_root() ? report_current_exception() : error.status();
    } catch (...) {
        if (world.size() > 1) end_job_of(world);
        return report_current_exception();
    }
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    using namespace galapagos;
    hold_stop_signals();
    keep_freed_memory();
    CLI::App program("galapagos: evolutionary model merging on clusters", "galapagos");
    program.set_version_flag("--version",
                             fmt::format("galapagos {} ({})", program_version, git_describe));
    program.require_subcommand(1);
    program.footer(
        "Exit status: 0 done, 75 stopped and can be resumed, 2 wrong usage or config, 1 failed.");
    try {
        const MpiSession session(argc, argv);
        return run_as_a_rank(program, argc, argv);
    } catch (...) {
        return report_current_exception();
    }
}
