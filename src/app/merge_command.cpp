#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/models.hpp"
#include "app/together.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "merge/merge_to_folder.hpp"

namespace galapagos {

Command add_merge_command(CLI::App& program) {
    struct Arguments {
        std::string recipe, out;
        std::uint64_t seed = 0;
        int threads = 0;
    };
    const auto arguments = std::make_shared<Arguments>();
    auto* command = program.add_subcommand(
        "merge", "Merge one recipe (mergekit YAML) into a Hugging Face folder");
    command
        ->add_option("recipe", arguments->recipe,
                     "recipe file; model paths in it are relative to the working directory")
        ->required();
    command->add_option("out", arguments->out, "folder to make")->required();
    command->add_option("--seed", arguments->seed,
                        "of random masks, if the recipe sets no random_seed");
    command->add_option("--threads", arguments->threads, "0: all cores of this process");
    return [arguments](const ProgramContext& context) {
        if (!context.world.is_root()) return 0;
        use_threads(arguments->threads, Communicator());
        const Stopwatch watch;
        MergeToFolderOptions options;
        options.seed = arguments->seed;
        options.warn = print_warning;
        const bool live = ::isatty(STDERR_FILENO) == 1;
        if (live)
            options.progress = [](std::size_t done, std::size_t total) {
                fmt::print(stderr, "\r{} of {} tensors", done, total);
            };
        merge_to_folder(parse_recipe(arguments->recipe), arguments->out, options,
                        read_text(arguments->recipe));
        if (live) fmt::print(stderr, "\r\033[K");
        fmt::print("{} written in {}\n", arguments->out, format_duration(watch.seconds()));
        return 0;
    };
}

}  // namespace galapagos
