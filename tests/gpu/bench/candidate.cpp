// Seconds that candidates take on a GPU, once it holds their sources:
//
//   gpu_candidate merge RECIPE...          the first recipe names all models of the others
//   gpu_candidate decode [--reductions=fast] RECIPE WORK...
//                                          WORK: NAME=KIND:REQUESTS:GIVEN:NEW[:CHOICES]
//
// Under mpirun the ranks decode together, each with a GPU of its own as far as there are some.
// KIND is generate (REQUESTS prompts of GIVEN ids, NEW ids each) or score (REQUESTS contexts of
// GIVEN ids, each with CHOICES continuations of NEW ids). bf16; the sources' values are random
// whatever their files hold, so that these may be empty. Each figure is the least of several
// rounds after one that warms up. Prints one JSON object:
//   load: seconds of bringing the sources to the GPU; copy: seconds that a copy on the GPU takes
//   for each byte that it reads or writes; by recipe {"first": with the statistics,
//   "again", "queued": of this, until the host is free}; by WORK its seconds.
// Exit status: 0, 1 failed, 2 wrong usage, 3 the GPU's memory doesn't hold the sources, 77 no GPU.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/device.hpp"
#include "island/cuda/gpu_candidate.hpp"
#include "island/model_evaluator.hpp"
#include "merge/recipe.hpp"

namespace galapagos {
namespace {

using Machine = cuda::CandidateMachine<Bf16>;

constexpr int rounds = 5;
constexpr int no_room = 3;
constexpr std::string_view fast_option = "--reductions=fast";

void finish() { cuda::check(cudaDeviceSynchronize(), "the GPU's work failed"); }

double least_seconds(const std::function<void()>& body) {
    const Communicator world = Communicator::world();
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round <= rounds; ++round) {
        finish();
        world.barrier();
        const Stopwatch watch;
        body();
        finish();
        if (round > 0) least = std::min(least, watch.seconds());
    }
    return least;
}

/// Device memory of random bf16 numbers around zero, 0.02 wide.
class RandomBlock {
  public:
    static constexpr std::size_t bytes = std::size_t{64} << 20;

    explicit RandomBlock(Machine& machine) : memory_(machine.allocate("random values", bytes)) {
        std::mt19937 engine{1};
        std::normal_distribution<float> values(0, 0.02F);
        std::vector<float> wide(bytes / sizeof(Bf16));
        std::generate(wide.begin(), wide.end(), [&] { return values(engine); });
        std::vector<std::byte> narrow(bytes);
        from_float(wide.data(), wide.size(), narrow.data(), DType::bf16);
        cuda::check(cudaMemcpy(memory_.get(), narrow.data(), bytes, cudaMemcpyHostToDevice),
                    "can't copy to the GPU");
    }

    /// Every piece begins somewhere else in the block.
    void fill(std::byte* to, std::size_t size) {
        while (size > 0) {
            const std::size_t begin = next_ % bytes, piece = std::min(size, bytes - begin);
            cuda::check(cudaMemcpyAsync(to, memory_.get() + begin, piece, cudaMemcpyDeviceToDevice),
                        "can't copy on the GPU");
            to += piece;
            size -= piece;
            next_ += piece + 4096 + 2;
        }
    }

  private:
    std::shared_ptr<std::byte[]> memory_;
    std::size_t next_ = 0;
};

class NoRoom : public Error {
  public:
    using Error::Error;
};

/// A candidate of any of these recipes, whose sources are random numbers on the device. The first
/// recipe names all models.
class RandomCandidate {
  public:
    RandomCandidate(const std::vector<Recipe>& recipes, const DecoderOptions& options)
        : sources_(open_sources(recipes.front())),
          architecture_(Architecture::from_config(sources_[0]->config(), "config.json")) {
        std::vector<MergePlan> forms;
        for (const Recipe& recipe : recipes)
            forms.push_back(make_plan(recipe, sources_, index_sources(sources_)));
        const Stopwatch watch;
        const Communicator world = Communicator::world();
        make_candidate(world, options, forms);
        finish();
        if (candidate_->residency().residency != Residency::device)
            throw NoRoom("this GPU is too small for the bench", candidate_->about_sources());
        load_seconds_ = watch.seconds();
        RandomBlock block(*machine_);
        const Sharding sharding(sources_[0]->config(), world.size(), world.rank());
        for (const auto& source : sources_)
            for (const std::string& name : source->tensor_names()) {
                const TensorView mapped = source->tensor(name);
                const auto elements = element_count(sharding.local_shape(name, mapped.shape));
                block.fill(const_cast<std::byte*>(machine_->tensors().find(mapped.data)),
                           static_cast<std::size_t>(elements) * size_of(mapped.dtype));
            }
        finish();
    }

    double load_seconds() const { return load_seconds_; }

    void merge(const Recipe& recipe) {
        candidate_->merge(make_plan(recipe, sources_, candidate_->index()));
    }
    std::string merge_seconds(const Recipe& recipe) {
        const Stopwatch watch;
        merge(recipe);
        finish();
        const double first = watch.seconds();
        double queued = std::numeric_limits<double>::infinity();
        const double again = least_seconds([&] {
            const Stopwatch host;
            merge(recipe);
            queued = std::min(queued, host.seconds());
        });
        return fmt::format("{{\"first\": {:.6f}, \"again\": {:.6f}, \"queued\": {:.6f}}}", first,
                           again, queued);
    }
    Decoder& decoder() { return candidate_->decoder(); }
    std::int64_t vocabulary() const { return architecture_.vocabulary; }
    Machine& machine() { return *machine_; }

  private:
    void make_candidate(const Communicator& world, const DecoderOptions& options,
                        const std::vector<MergePlan>& forms) {
        // Among so many ranks none may pin a thing: sources that don't fit aren't copied first.
        static constexpr cuda::MachineShare nothing_pinned{1, std::numeric_limits<int>::max()};
        try {
            candidate_.emplace(sources_, *sources_[0], architecture_, LayerRoute(), world, 1,
                               options, forms, [this](TensorGroup& group) {
                                   auto machine = cuda::gpu_machine<Bf16>(nothing_pinned)(group);
                                   machine_ = machine.get();
                                   return machine;
                               });
        } catch (const MachineError&) {
            throw;
        } catch (const Error& error) {
            throw NoRoom("this GPU is too small for the bench", error.what());
        }
    }

    std::vector<std::shared_ptr<const Source>> sources_;
    Architecture architecture_;
    Machine* machine_ = nullptr;
    std::optional<cuda::DeviceCandidate<Bf16>> candidate_;
    double load_seconds_ = 0;
};

struct Work {
    std::string name, kind;
    int requests = 0, given = 0, fresh = 0, choices = 1;

    explicit Work(const std::string& text) {
        const auto equals = text.find('=');
        std::vector<std::string> words;
        std::size_t begin = equals + 1;
        for (std::size_t end = begin; end != std::string::npos; begin = end + 1) {
            end = text.find(':', begin);
            words.push_back(text.substr(begin, end - begin));
            if (end == std::string::npos) break;
        }
        if (equals == std::string::npos || words.size() < 4)
            throw UsageError(text + " is no work", "NAME=KIND:REQUESTS:GIVEN:NEW[:CHOICES]");
        name = text.substr(0, equals);
        kind = words[0];
        requests = std::stoi(words[1]);
        given = std::stoi(words[2]);
        fresh = std::stoi(words[3]);
        if (words.size() > 4) choices = std::stoi(words[4]);
    }

    int longest() const { return given + fresh; }

    std::function<void()> body(RandomCandidate& model) const {
        std::mt19937 engine{1};
        std::uniform_int_distribution<std::int32_t> id(
            0, static_cast<std::int32_t>(model.vocabulary() - 1));
        const auto ids = [&](int count) {
            std::vector<std::int32_t> list(static_cast<std::size_t>(count));
            for (auto& value : list) value = id(engine);
            return list;
        };
        if (kind == "generate") {
            std::vector<GenerationRequest> list;
            for (int i = 0; i < requests; ++i) list.push_back({ids(given), fresh, {}});
            return [list, &model] { model.decoder().generate(list); };
        }
        std::vector<ScoreRequest> list;
        for (int i = 0; i < requests; ++i) {
            const auto context = ids(given);
            for (int choice = 0; choice < choices; ++choice) list.push_back({context, ids(fresh)});
        }
        return [list, &model] { model.decoder().score(list); };
    }
};

double copy_seconds_a_byte(Machine& machine) {
    constexpr std::size_t bytes = std::size_t{1} << 30;
    const auto from = machine.allocate("copy", bytes), to = machine.allocate("copy", bytes);
    return least_seconds([&] {
               cuda::check(cudaMemcpyAsync(to.get(), from.get(), bytes, cudaMemcpyDeviceToDevice),
                           "can't copy on the GPU");
           }) /
           (2.0 * bytes);
}

int run_merges(int count, char** arguments) {
    DecoderOptions options;
    options.max_batch = 1;
    options.max_tokens = options.batch_tokens = 16;
    std::vector<Recipe> recipes;
    for (int i = 0; i < count; ++i) recipes.push_back(parse_recipe(arguments[i]));
    RandomCandidate model(recipes, options);
    fmt::print("{{\"load\": {:.6f}", model.load_seconds());
    for (int i = 0; i < count; ++i)
        fmt::print(", \"{}\": {}", arguments[i],
                   model.merge_seconds(recipes[static_cast<std::size_t>(i)]));
    fmt::print(", \"copy\": {:.6g}}}\n", copy_seconds_a_byte(model.machine()));
    return 0;
}

int run_decoder(int count, char** arguments) {
    std::vector<Work> list;
    DecoderOptions options;
    if (std::string(arguments[0]) == fast_option) {
        options.reductions = Reductions::fast;
        --count;
        ++arguments;
    }
    options.max_batch = options.max_tokens = 1;
    for (int i = 1; i < count; ++i) {
        const Work& work = list.emplace_back(arguments[i]);
        options.max_batch = std::clamp(work.requests * work.choices, options.max_batch, 256);
        options.max_tokens = std::max(options.max_tokens, work.longest());
    }
    options.batch_tokens = std::max(8192, options.max_tokens);
    const Recipe recipe = parse_recipe(arguments[0]);
    RandomCandidate model({recipe}, options);
    model.merge(recipe);
    std::string printed;
    for (const Work& work : list)
        printed += fmt::format("{}\"{}\": {:.6f}", printed.empty() ? "" : ", ", work.name,
                               least_seconds(work.body(model)));
    if (Communicator::world().is_root()) fmt::print("{{{}}}\n", printed);
    return 0;
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    using namespace galapagos;
    const std::string what = argc > 2 ? argv[1] : "";
    if (what != "merge" && (what != "decode" || argc < 4)) {
        fmt::print(stderr, "usage: gpu_candidate merge RECIPE... | decode [{}] RECIPE WORK...\n",
                   fast_option);
        return 2;
    }
    try {
        const MpiSession mpi(argc, argv);
        const DeviceReport report = visible_devices();
        if (report.devices.empty()) {
            fmt::print(stderr, "gpu_candidate: no GPU: {}\n", report.why_none);
            return 77;
        }
        const auto rank = static_cast<std::size_t>(Communicator::world().split_by_node().rank());
        use_device(report.devices[rank % report.devices.size()]);
        return what == "merge" ? run_merges(argc - 2, argv + 2) : run_decoder(argc - 2, argv + 2);
    } catch (const std::exception& error) {
        fmt::print(stderr, "gpu_candidate: {}\n", error.what());
        return dynamic_cast<const NoRoom*>(&error) != nullptr ? no_room : 1;
    }
}
