// The subcommands of the program: each adds itself to the command line, and runs when chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace galapagos {

/// What a subcommand sees of the process.
struct ProgramContext {
    Communicator world;
    std::vector<std::string> arguments;
};

/// Runs on every rank; returns the exit status.
using Command = std::function<int(const ProgramContext&)>;

Command add_evolve_command(CLI::App& program);
Command add_merge_command(CLI::App& program);
Command add_evaluate_command(CLI::App& program);
Command add_export_command(CLI::App& program);
Command add_history_command(CLI::App& program);
Command add_verify_command(CLI::App& program);
Command add_plan_command(CLI::App& program);
Command add_doctor_command(CLI::App& program);

}  // namespace galapagos
