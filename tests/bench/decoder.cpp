// Seconds that a decoder takes for the work of tests/bench/decoder.py, on one model folder:
//   [mpirun -n WIDTH] decoder MODEL F32|BF16 THREADS ROUNDS wall|cpu WORK...
// WORK: score (8 sequences of 128 ids, every position scored), choices (2 contexts of 96 ids with
// 4 continuations of 32), generate (32 prompts of 64 ids, 48 new ones), single (one such prompt).
// Prints {"WORK": seconds, ...}: the least of the rounds, after one that warms up; of
// the clock on the wall, or of this process's time on processors.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>

#include "base/clock.hpp"
#include "comm/communicator.hpp"
#include "model/memory.hpp"
#include "model/threads.hpp"
#include "support/loaded_model.hpp"

namespace galapagos {
namespace {

using Ids = std::vector<int32_t>;

class Work {
  public:
    explicit Work(int64_t vocabulary) : id_(0, static_cast<int32_t>(vocabulary) - 1) {}

    std::vector<ScoreRequest> sequences() {
        std::vector<ScoreRequest> requests;
        for (int i = 0; i < 8; ++i) requests.push_back({ids(1), ids(128)});
        return requests;
    }

    std::vector<ScoreRequest> choices() {
        std::vector<ScoreRequest> requests;
        for (int question = 0; question < 2; ++question) {
            const Ids context = ids(96);
            for (int choice = 0; choice < 4; ++choice) requests.push_back({context, ids(32)});
        }
        return requests;
    }

    std::vector<GenerationRequest> prompts(int count) {
        std::vector<GenerationRequest> requests;
        for (int i = 0; i < count; ++i) requests.push_back({ids(64), 48, {}});
        return requests;
    }

  private:
    Ids ids(size_t count) {
        Ids result(count);
        for (int32_t& id : result) id = id_(engine_);
        return result;
    }

    std::mt19937 engine_{1};
    std::uniform_int_distribution<int32_t> id_;
};

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double least_seconds(TensorGroup& group, int rounds, bool wall, const std::function<void()>& body) {
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round <= rounds; ++round) {
        group.communicator().barrier();
        const Stopwatch watch;
        const double before = processor_seconds();
        body();
        const double seconds = wall ? watch.seconds() : processor_seconds() - before;
        if (round > 0) least = std::min(least, seconds);
    }
    return least;
}

int run(int count, char** arguments) {
    const DType dtype = parse_dtype(arguments[2]).value();
    set_model_threads(std::stoi(arguments[3]));
    const int rounds = std::stoi(arguments[4]);
    const bool wall = arguments[5] == std::string("wall");
    TensorGroup group{Communicator::world()};
    test::LoadedModel model(arguments[1], dtype, group.size(), group.rank());
    Decoder decoder(model.architecture, model.sharding, model.arena, group, {dtype, 32, 256, 1024});
    Work work(model.architecture.vocabulary);
    const auto sequences = work.sequences(), choices = work.choices();
    const auto prompts = work.prompts(32), single = work.prompts(1);
    const std::map<std::string, std::function<void()>> bodies{
        {"score", [&] { decoder.score(sequences); }},
        {"choices", [&] { decoder.score(choices); }},
        {"generate", [&] { decoder.generate(prompts); }},
        {"single", [&] { decoder.generate(single); }}};
    std::string printed;
    for (int i = 6; i < count; ++i)
        printed += fmt::format("{}\"{}\": {:.6f}", i > 6 ? ", " : "", arguments[i],
                               least_seconds(group, rounds, wall, bodies.at(arguments[i])));
    if (group.rank() == 0) fmt::print("{{{}}}\n", printed);
    return 0;
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    if (argc < 7) {
        fmt::print(stderr, "usage: decoder MODEL F32|BF16 THREADS ROUNDS wall|cpu WORK...\n");
        return 2;
    }
    try {
        const galapagos::MpiSession mpi(argc, argv);
        galapagos::keep_freed_memory();
        return galapagos::run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "decoder: {}\n", error.what());
        return 1;
    }
}
