// The promise: a kill -9 at any instant leaves every committed generation readable.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

/// Starts the sample writer, kills it after `delay`, and returns how many generations it had said
/// were committed.
uint64_t write_until_killed(const std::filesystem::path& run, int part, uint64_t first,
                            std::chrono::microseconds delay) {
    int pipe_ends[2];
    if (::pipe(pipe_ends) != 0) throw std::runtime_error("no pipe");
    const std::string part_text = std::to_string(part), first_text = std::to_string(first);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(pipe_ends[1], STDOUT_FILENO);
        ::close(pipe_ends[0]);
        ::close(pipe_ends[1]);
        ::execl(GALAPAGOS_SAMPLE_WRITER, "sample_writer", "part", run.c_str(), "0",
                part_text.c_str(), first_text.c_str(), "1000000", nullptr);
        ::_exit(127);
    }
    ::close(pipe_ends[1]);
    std::thread killer([&] {
        std::this_thread::sleep_for(delay);
        ::kill(child, SIGKILL);
    });
    std::string text;
    char buffer[4096];
    ssize_t length;
    while ((length = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<size_t>(length));
    killer.join();
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) throw std::runtime_error("the writer ended before it was killed");
    return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

int number_of_kills() {
    const char* text = std::getenv("GALAPAGOS_KILLS");
    return text != nullptr ? std::atoi(text) : 24;
}

TEST(Kill, EveryCommittedGenerationIsReadable) {
    sample::Folder folder;
    std::mt19937 random(std::random_device{}());
    // From before the file appears to some hundred generations.
    std::uniform_int_distribution<int> delay(0, 150000);
    uint64_t generations = 0;
    const int kills = number_of_kills();
    for (int part = 1; part <= kills; ++part) {
        // Resume from a checkpoint that may lie a few generations back.
        const uint64_t back = std::min<uint64_t>(generations, random() % 4);
        const uint64_t first = generations - back;
        const uint64_t said = write_until_killed(folder.path(), part, first,
                                                 std::chrono::microseconds(delay(random)));
        if (islands_in(RunLayout{folder.path()}).empty()) continue;
        const RunHistory run = read_run(folder.path(), {.answers = true});
        const IslandHistory& island = run.islands.at(0);
        const uint64_t now = island.generations.size();
        ASSERT_GE(now, said > 0 ? first + said : generations) << "a committed generation is lost";
        ASSERT_LE(now, std::max(generations, first + said + 1)) << "more than was written";
        ASSERT_EQ(sample::difference(island, now), "") << "after kill " << part;
        generations = now;
    }
    EXPECT_GT(generations, 20U) << "the writer never got going";
    RecordProperty("generations", static_cast<int>(generations));
}

}  // namespace
}  // namespace galapagos
