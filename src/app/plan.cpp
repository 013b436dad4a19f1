#include "app/plan.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <thread>

#include "app/quantity.hpp"
#include "base/error.hpp"
#include "base/parallel.hpp"
#include "forecast/machine.hpp"
#include "forecast/memory.hpp"
#include "forecast/simulation.hpp"
#include "forecast/workload.hpp"
#include "history/history_reader.hpp"
#include "island/migration.hpp"
#include "model/threads.hpp"
#include "weights/adapter.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

/// Device memory for the CUDA context, NCCL's buffers and the libraries' workspaces.
constexpr double gpu_reserve = 0x1p30;
constexpr double assumed_sigma = 0.2;
/// Candidates that all simulations together may play.
constexpr double simulated_candidates = 2e6;

/// Sizes of the models, from their headers.
struct ModelSizes {
    double files = 0;                 ///< bytes of weight files that are mapped, each folder once
    double adapted = 0;               ///< bytes of the cache files of adapters
    std::vector<TensorSpec> tensors;  ///< of all sources: what a device holds
};

struct Inputs {
    Config config;
    ModelSizes sizes;
    std::shared_ptr<const Source> donor;
    std::optional<SearchSpace> space;
    Architecture architecture;
    std::array<std::vector<std::unique_ptr<const PreparedTask>>, all_splits.size()> tasks;
    DecoderOptions decoder;
    std::uint64_t population = 0;
};

ModelSizes measure_models(const std::vector<ModelEntry>& entries) {
    ModelSizes sizes;
    std::map<std::string, bool> seen;
    for (const auto& entry : entries) {
        const ModelFolder folder(entry.model);
        if (!seen[entry.model])
            for (const auto& file : folder.weight_files())
                sizes.files += static_cast<double>(std::filesystem::file_size(file.path()));
        seen[entry.model] = true;
        for (const auto& name : folder.tensor_names()) {
            const auto tensor = folder.tensor(name);
            sizes.tensors.push_back({name, tensor.dtype, tensor.shape});
        }
        if (entry.adapter.empty()) continue;
        for (const auto& name : Adapter(entry.adapter, folder).changed_tensors())
            sizes.adapted += static_cast<double>(folder.tensor(name).bytes());
    }
    return sizes;
}

Inputs open_inputs(Config config) {
    Inputs in;
    const auto entries = config.models();
    in.sizes = measure_models(entries);
    in.donor = Source::open({entries.front().reference(), entries.front().model, std::nullopt});
    in.space = make_search_space(config, {in.donor});
    in.architecture =
        Architecture::from_config(in.donor->config(), entries.front().model + "/config.json");
    const auto tokenizer = Tokenizer::load(in.donor->folder().folder());
    int longest = 1;
    for (const auto& entry : config.tasks) {
        const auto task = Task::load(entry.file);
        for (const Split split : all_splits) {
            if (task.items(split).empty()) continue;
            auto& list = in.tasks[static_cast<std::size_t>(split)];
            list.push_back(prepare(task, split, tokenizer, prepare_options(*in.donor)));
            longest = std::max(longest, list.back()->longest_row());
        }
    }
    in.decoder.dtype = config.evaluation.dtype;
    in.decoder.max_batch = config.evaluation.max_batch;
    in.decoder.max_tokens = longest;
    in.decoder.batch_tokens = std::max(config.evaluation.batch_tokens, longest);
    in.population = make_optimizer(config.optimizer, in.space->genes(), 1, 0)->population_size();
    in.config = std::move(config);
    return in;
}

/// Resident memory of this process before it has loaded a model: libtorch, MPI, HDF5.
double process_bytes() {
    std::ifstream file("/proc/self/statm");
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double memory_of_this_machine() {
    return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<double>(::sysconf(_SC_PAGESIZE));
}

bool uses_method(const Config& config, bool (*property)(Method)) {
    const auto& names = config.merge.methods;
    return std::any_of(names.begin(), names.end(), [&](const auto& name) {
        const auto method = parse_method(name);
        return method && property(*method);
    });
}

class Planner {
  public:
    Planner(Inputs inputs, const PlanSettings& settings)
        : in_(std::move(inputs)), s_(settings), gpu_(settings.gpu_memory > 0) {
        const int width = in_.config.evaluation.tensor_parallel;
        const int wanted = in_.config.islands.count;
        islands_ = wanted > 0 ? wanted : s_.nodes;
        if (s_.ranks_per_node == 0)
            s_.ranks_per_node = (islands_ * width + s_.nodes - 1) / s_.nodes;
        if (s_.memory_per_node == 0 && !gpu_) s_.memory_per_node = memory_of_this_machine();
        threads_ = in_.config.evaluation.threads > 0
                       ? in_.config.evaluation.threads
                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) /
                                         s_.ranks_per_node);
        const int ranks = s_.nodes * s_.ranks_per_node;
        if (ranks < islands_ * width)
            throw UsageError(
                fmt::format("{} islands of {} tensor-parallel ranks need {} ranks", islands_, width,
                            islands_ * width),
                fmt::format("{} nodes of {} ranks are {}", s_.nodes, s_.ranks_per_node, ranks),
                "plan counts one evaluator an island at least: raise --ranks-per-node or --nodes.");
        evaluators_ = ranks / width / islands_;
    }

    ordered_json report() {
        ordered_json report;
        report["name"] = in_.config.name;
        report["device"] = gpu_ ? "gpu" : "cpu";
        report["nodes"] = s_.nodes;
        report["ranks_per_node"] = s_.ranks_per_node;
        report["islands"] = islands_;
        report["evaluators_per_island"] = evaluators_;
        report["tensor_parallel"] = in_.config.evaluation.tensor_parallel;
        report["genome"] = {{"genes", in_.space->genes().size()},
                            {"bytes", in_.space->genes().size() * sizeof(double)},
                            {"population", in_.population}};
        report["memory"] = memory();
        report["work"] = work();
        report["speed"] = speed();
        report["communication"] = communication();
        report["run"] = run();
        return report;
    }

  private:
    // ---- memory

    ordered_json memory_at(int width) const {
        const Sharding sharding(in_.donor->config(), width, 0);
        const auto decoder = decoder_memory(in_.architecture, sharding, in_.decoder, threads_);
        const bool ladders = uses_method(in_.config, [](Method m) { return is_sparse(m); });
        const bool masks = uses_method(in_.config, [](Method m) {
            return m == Method::dare_linear || m == Method::dare_ties;
        });
        const auto deltas = static_cast<std::int64_t>(in_.sizes.tensors.size());
        ordered_json m{{"width", width}};
        m["arena"] = arena_bytes(in_.architecture, sharding, in_.decoder.dtype);
        m["kv_cache"] = decoder.kv_cache;
        m["activations"] = decoder.activations;
        m["statistics"] = statistics_bytes(deltas, ladders, masks);
        double rank =
            m["arena"].get<double>() + m["kv_cache"].get<double>() + m["activations"].get<double>();
        if (gpu_) {
            m["sources"] = sharded_bytes(in_.sizes.tensors, sharding);
            m["reserve"] = gpu_reserve;
            rank += m["sources"].get<double>() + gpu_reserve;
            m["rank"] = rank;
            judge(m, rank, s_.gpu_memory, "a GPU");
            return m;
        }
        m["process"] = process_;
        rank += m["statistics"].get<double>() + process_;
        m["rank"] = rank;
        m["mapped_per_node"] = in_.sizes.files + in_.sizes.adapted;
        const double node = rank * s_.ranks_per_node + in_.sizes.files + in_.sizes.adapted;
        m["node"] = node;
        judge(m, node, s_.memory_per_node, "a node");
        return m;
    }

    static void judge(ordered_json& m, double needs, double has, const char* where) {
        m["fits"] = needs <= has;
        if (needs <= has) return;
        std::string largest = "arena";
        for (const char* part : {"kv_cache", "activations", "sources", "mapped_per_node"})
            if (m.contains(part) && m[part].get<double>() > m[largest].get<double>())
                largest = part;
        m["why"] =
            fmt::format("needs {} of {} that {} has; largest part: {} {}", format_bytes(needs),
                        format_bytes(has), where, largest, format_bytes(m[largest].get<double>()));
    }

    ordered_json memory() {
        ordered_json list = ordered_json::array();
        const int configured = in_.config.evaluation.tensor_parallel;
        int smallest = 0;
        for (int width = 1; width <= std::max(configured, s_.ranks_per_node); ++width) {
            if (width > in_.architecture.query_heads) break;
            if (width != configured && s_.ranks_per_node % width != 0) continue;
            list.push_back(memory_at(width));
            if (smallest == 0 && list.back()["fits"].get<bool>()) smallest = width;
        }
        return {{"limit", gpu_ ? s_.gpu_memory : s_.memory_per_node},
                {"limit_of", gpu_ ? "gpu" : "node"},
                {"smallest_width_that_fits", smallest},
                {"widths", list}};
    }

    // ---- time

    double seconds_of(Split split) const {
        const auto& workload = workloads_[static_cast<std::size_t>(split)];
        const double width = in_.config.evaluation.tensor_parallel;
        double seconds = 0;
        for (const auto& pass : workload.passes)
            seconds += std::max(pass_flops(in_.architecture, pass) / (width * figures_.flops),
                                pass_bytes(in_.architecture, in_.decoder.dtype, pass) /
                                    (width * figures_.bandwidth));
        return seconds;
    }

    double merge_seconds() const {
        double bytes = static_cast<double>(
            arena_bytes(in_.architecture, Sharding(in_.donor->config(), 1, 0), in_.decoder.dtype));
        for (const auto& tensor : in_.sizes.tensors) bytes += static_cast<double>(tensor.bytes());
        return bytes / (in_.config.evaluation.tensor_parallel * figures_.bandwidth);
    }

    ordered_json work() {
        for (const Split split : all_splits)
            workloads_[static_cast<std::size_t>(split)] = count_workload(
                in_.tasks[static_cast<std::size_t>(split)], in_.decoder, s_.new_tokens);
        double flops = 0, bytes = 0;
        const auto& train = workloads_.front();
        for (const auto& pass : train.passes) {
            flops += pass_flops(in_.architecture, pass);
            bytes += pass_bytes(in_.architecture, in_.decoder.dtype, pass);
        }
        return {{"passes", train.passes.size()},
                {"tokens", train.total().tokens},
                {"flops", flops},
                {"bytes", bytes}};
    }

    ordered_json speed() {
        choose_figures();
        const double estimated = merge_seconds() + seconds_of(Split::train);
        sigma_ = s_.straggler_sigma.value_or(assumed_sigma);
        std::string source = "estimated from these figures";
        candidate_ = estimated;
        if (!s_.like.empty()) {
            take_from_history();
            source = fmt::format("measured in {}", s_.like);
        }
        if (s_.seconds_per_candidate > 0) {
            candidate_ = s_.seconds_per_candidate;
            source = "given";
        }
        const double finalists =
            std::ceil(in_.config.selection.finalists / static_cast<double>(evaluators_));
        final_ = candidate_ / estimated *
                 (finalists * (merge_seconds() + seconds_of(Split::validation)) + merge_seconds() +
                  seconds_of(Split::test));
        return {{"tflops", figures_.flops / 1e12},
                {"gigabytes_per_second", figures_.bandwidth / 1e9},
                {"figures", figures_.source},
                {"seconds_per_candidate", candidate_},
                {"seconds_source", source},
                {"straggler_sigma", sigma_},
                {"candidates_per_hour", 3600 / candidate_ * evaluators_ * islands_},
                {"final_seconds", final_}};
    }

    void choose_figures() {
        if (gpu_) {
            figures_ = assumed_gpu();
        } else if (s_.tflops == 0 || s_.bandwidth == 0) {
            set_model_threads(threads_);
            set_thread_count(static_cast<int>(std::thread::hardware_concurrency()));
            figures_ = measure_cpu(in_.decoder.dtype, in_.decoder.max_batch,
                                   static_cast<int>(in_.architecture.hidden),
                                   static_cast<int>(in_.architecture.intermediate));
            figures_.bandwidth /= s_.ranks_per_node;  // a node's ranks share it
        }
        if (s_.tflops > 0) figures_.flops = s_.tflops * 1e12;
        if (s_.bandwidth > 0) figures_.bandwidth = s_.bandwidth * 1e9;
        if (s_.tflops > 0 && s_.bandwidth > 0)
            figures_.source = "the figures given";
        else if (s_.tflops > 0 || s_.bandwidth > 0)
            figures_.source += ", and the figure given";
    }

    void take_from_history() {
        std::vector<double> seconds;
        for (const auto& island : read_run(s_.like).islands)
            for (const auto& candidate : island.candidates)
                if (candidate.status == CandidateStatus::evaluated)
                    seconds.push_back(candidate.merge_seconds + candidate.evaluation_seconds);
        if (seconds.empty())
            throw UsageError(fmt::format("--like {}: refused", s_.like),
                             "no candidate was evaluated there");
        double sum = 0, logs = 0, squares = 0;
        for (const double value : seconds) {
            sum += value;
            logs += std::log(std::max(1e-9, value));
        }
        const auto count = static_cast<double>(seconds.size());
        for (const double value : seconds)
            squares += std::pow(std::log(std::max(1e-9, value)) - logs / count, 2);
        candidate_ = sum / count;
        if (!s_.straggler_sigma) sigma_ = std::sqrt(squares / count);
    }

    // ---- communication

    ordered_json communication() const {
        double sums = 0;
        const double generation = static_cast<double>(in_.population);
        if (in_.config.evaluation.tensor_parallel > 1)
            for (const auto& pass : workloads_.front().passes)
                sums += pass_collective_bytes(in_.architecture, pass);
        MigrantPacket packet;
        packet.migrants.assign(static_cast<std::size_t>(in_.config.migration.elites),
                               {0, Genome(in_.space->genes().size(), 1.0 / 3), 1.0 / 3});
        const auto targets =
            make_topology(in_.config.migration, islands_, 1).targets.front().size();
        const double migrants =
            static_cast<double>(pack(packet).size() * targets) / in_.config.migration.interval;
        return {{"all_reduce_bytes_per_rank_and_candidate", sums},
                {"all_reduce_bytes_per_rank_and_generation", sums * generation / evaluators_},
                {"migrant_bytes_per_island_and_generation", migrants}};
    }

    // ---- the whole run

    SimulationSettings simulation() const {
        SimulationSettings sim;
        sim.islands = islands_;
        sim.evaluators = evaluators_;
        sim.population = in_.population;
        const auto& budget = in_.config.budget;
        if (budget.evaluations > 0)
            sim.generations =
                (static_cast<std::uint64_t>(budget.evaluations) + in_.population - 1) /
                in_.population;
        if (budget.generations > 0)
            sim.generations = std::min(sim.generations > 0 ? sim.generations : UINT64_MAX,
                                       static_cast<std::uint64_t>(budget.generations));
        if (budget.wall_time > 0) sim.wall_time = budget.wall_time;
        sim.mode = in_.config.islands.mode;
        sim.window = in_.config.islands.window;
        sim.migration = in_.config.migration;
        sim.seconds_per_candidate = candidate_;
        sim.straggler_sigma = sigma_;
        sim.island_sigma = s_.island_sigma;
        sim.nodes = s_.nodes;
        if (s_.mtbf > 0) sim.mtbf = s_.mtbf;
        sim.requeue_seconds = s_.requeue_seconds;
        sim.start_seconds = s_.start_seconds;
        return sim;
    }

    /// As many repeats as are asked for and affordable.
    int affordable(const SimulationSettings& sim) const {
        double generations = sim.generations > 0 ? static_cast<double>(sim.generations) : 1e9;
        generations = std::min(generations, sim.wall_time * evaluators_ /
                                                (candidate_ * static_cast<double>(sim.population)));
        const double candidates = generations * static_cast<double>(sim.population) * islands_;
        return static_cast<int>(
            std::clamp(simulated_candidates / std::max(1.0, candidates), 1.0, double(s_.repeats)));
    }

    static double quantile(std::vector<double> values, double q) {
        std::sort(values.begin(), values.end());
        const double at = q * static_cast<double>(values.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const auto high = std::min(low + 1, values.size() - 1);
        return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
    }

    ordered_json run() const {
        auto sim = simulation();
        const int repeats = affordable(sim);
        std::vector<double> walls;
        double utilisation = 0, failures = 0, lost = 0, down = 0, generations = 0;
        int given_up = 0;
        for (int i = 0; i < repeats; ++i) {
            sim.seed = static_cast<std::uint64_t>(i) + 1;
            const auto result = simulate(sim);
            walls.push_back(result.wall + final_);
            given_up += result.completed ? 0 : 1;
            utilisation += result.utilisation(sim) / repeats;
            failures += static_cast<double>(result.failures) / repeats;
            lost += result.lost / repeats;
            down += result.down / repeats;
            generations += static_cast<double>(result.generations);
        }
        generations /= repeats;
        ordered_json run{
            {"simulated_runs", repeats},
            {"generations", generations},
            {"evaluations", generations * static_cast<double>(in_.population) * islands_},
            {"wall_seconds",
             {{"p10", quantile(walls, 0.1)},
              {"p50", quantile(walls, 0.5)},
              {"p90", quantile(walls, 0.9)}}},
            {"utilisation", utilisation}};
        if (s_.mtbf > 0)
            run["failures"] = {{"mean", failures},
                               {"evaluator_seconds_lost", lost},
                               {"down_seconds", down},
                               {"given_up", given_up}};
        if (s_.node_watts > 0)
            run["energy_kwh"] = s_.node_watts * s_.nodes * quantile(walls, 0.5) / 3.6e6;
        run["variants"] = variants(sim);
        return run;
    }

    ordered_json variants(SimulationSettings sim) const {
        ordered_json list = ordered_json::array();
        sim.seed = 1;
        const auto add = [&](const SimulationSettings& variant) {
            const auto result = simulate(variant);
            const bool deterministic = variant.mode == Mode::deterministic;
            list.push_back({{"mode", deterministic ? "deterministic" : "asynchronous"},
                            {"window", variant.window},
                            {"lag", variant.migration.lag},
                            {"wall_seconds", result.wall + final_},
                            {"utilisation", result.utilisation(variant)}});
        };
        sim.mode = Mode::deterministic;
        const auto population = static_cast<int>(in_.population);
        for (const int window : {0, population / 2, population})
            for (const int lag : {1, 4}) {
                if (islands_ == 1 && lag > 1) continue;
                sim.window = window;
                sim.migration.lag = lag;
                add(sim);
            }
        sim.mode = Mode::asynchronous;
        add(sim);
        return list;
    }

    Inputs in_;
    PlanSettings s_;
    bool gpu_;
    int islands_ = 1;
    int evaluators_ = 1;
    int threads_ = 1;
    double process_ = process_bytes();
    std::array<Workload, all_splits.size()> workloads_;
    MachineFigures figures_;
    double candidate_ = 0;
    double sigma_ = 0;
    double final_ = 0;
};

}  // namespace

ordered_json make_plan_report(Config config, const PlanSettings& settings) {
    return Planner(open_inputs(std::move(config)), settings).report();
}

}  // namespace galapagos
