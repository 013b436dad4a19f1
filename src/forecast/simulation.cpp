#include "forecast/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "island/topology.hpp"

namespace galapagos {
namespace {

constexpr int queue_depth = 2;

/// Where a drawn candidate stands.
enum class State : std::uint8_t { waiting, given_out, done, saved };

struct Task {
    std::uint64_t candidate;
    double seconds;
};

struct SimulatedEvaluator {
    std::deque<Task> tasks;  // the first is being evaluated
    double started = 0;      // of the first
};

struct SimulatedIsland {
    std::uint64_t told = 0;  // generations
    std::uint64_t scan = 0;  // no candidate below it waits
    bool finished = false;
    std::deque<State> states;  // of candidates told * population and on
    std::vector<SimulatedEvaluator> evaluators;
    double unsaved = 0;  // evaluator-seconds since the last generation
    double saved = 0;    // and those of results that a checkpoint holds
    double factor = 1;   // of all its times
};

/// An evaluator ends its candidate.
struct Event {
    double time;
    int island;
    int evaluator;
    bool operator>(const Event& other) const {
        return std::tie(time, island, evaluator) >
               std::tie(other.time, other.island, other.evaluator);
    }
};

class Simulation {
  public:
    explicit Simulation(const SimulationSettings& settings)
        : s_(settings),
          window_(settings.window >= 0 ? static_cast<std::uint64_t>(settings.window)
                                       : settings.population / 2),
          topology_(make_topology(settings.migration, settings.islands, settings.seed)),
          failures_(settings.seed, 0, Purpose::variation, 0),
          islands_(static_cast<std::size_t>(settings.islands)) {
        for (std::size_t i = 0; i < islands_.size(); ++i) {
            islands_[i].evaluators.resize(static_cast<std::size_t>(settings.evaluators));
            islands_[i].factor = log_normal(settings.island_sigma, Purpose::initial, i, 0);
        }
    }

    SimulationResult run() {
        start_attempt(s_.start_seconds);
        result_.down = s_.start_seconds;
        while (running_ > 0) {
            const double next = events_.empty() ? s_.wall_time : events_.top().time;
            if (next >= s_.wall_time && s_.wall_time <= fails_at_) {
                time_ = s_.wall_time;
                break;
            }
            if (fails_at_ < next) {
                if (!fail()) break;
                continue;
            }
            const Event event = events_.top();
            events_.pop();
            time_ = event.time;
            end_candidate(event);
        }
        return summary();
    }

  private:
    double log_normal(double sigma, Purpose purpose, std::uint64_t island, std::uint64_t index) {
        if (sigma == 0) return 1;
        RandomStream random(s_.seed, static_cast<std::uint32_t>(island), purpose, index);
        return std::exp(sigma * random.normal() - sigma * sigma / 2);
    }

    double seconds_of(int island, std::uint64_t candidate) {
        if (s_.known_seconds) return s_.known_seconds(island, candidate);
        const auto index = static_cast<std::uint64_t>(island);
        return s_.seconds_per_candidate * islands_[index].factor *
               log_normal(s_.straggler_sigma, Purpose::test, index, candidate);
    }

    void start_attempt(double at) {
        time_ = at;
        fails_at_ = std::isfinite(s_.mtbf)
                        ? at - std::log(1 - failures_.uniform()) * s_.mtbf / std::max(1, s_.nodes)
                        : std::numeric_limits<double>::infinity();
        fruitful_ = false;
        running_ = 0;
        for (int island = 0; island < s_.islands; ++island) {
            if (islands_[static_cast<std::size_t>(island)].finished) continue;
            ++running_;
            hand_out(island);
        }
    }

    /// Everything back to the checkpoints. False once the job gives up.
    bool fail() {
        ++result_.failures;
        fruitless_ = fruitful_ ? 0 : fruitless_ + 1;
        for (auto& island : islands_) {
            for (auto& evaluator : island.evaluators) {
                if (!evaluator.tasks.empty()) result_.lost += fails_at_ - evaluator.started;
                evaluator.tasks.clear();
            }
            result_.lost += island.unsaved;
            island.unsaved = 0;
            for (auto& state : island.states)
                if (state != State::saved) state = State::waiting;
            island.scan = island.told * s_.population;
        }
        events_ = {};
        if (fruitless_ >= s_.fruitless_limit) {
            result_.completed = false;
            time_ = fails_at_;
            return false;
        }
        result_.down += s_.requeue_seconds + s_.start_seconds;
        start_attempt(fails_at_ + s_.requeue_seconds + s_.start_seconds);
        return true;
    }

    std::uint64_t ask_limit() const {
        return s_.generations > 0 ? s_.generations * s_.population
                                  : std::numeric_limits<std::uint64_t>::max();
    }

    /// The next candidate that may be evaluated now.
    std::optional<std::uint64_t> next(SimulatedIsland& island) const {
        if (island.finished) return std::nullopt;
        const auto drawn = s_.mode == Mode::deterministic
                               ? (island.told + 1) * s_.population + window_
                               : (island.told + 3) * s_.population;
        const auto limit = std::min(ask_limit(), drawn);
        const auto first = island.told * s_.population;
        island.states.resize(
            std::max(island.states.size(), static_cast<std::size_t>(limit - first)),
            State::waiting);
        for (; island.scan < limit; ++island.scan)
            if (island.states[island.scan - first] == State::waiting) return island.scan;
        return std::nullopt;
    }

    void hand_out(int number) {
        auto& island = islands_[static_cast<std::size_t>(number)];
        while (true) {
            auto emptiest = std::min_element(
                island.evaluators.begin(), island.evaluators.end(),
                [](const auto& a, const auto& b) { return a.tasks.size() < b.tasks.size(); });
            if (emptiest->tasks.size() >= queue_depth) return;
            const auto candidate = next(island);
            if (!candidate) return;
            island.states[*candidate - island.told * s_.population] = State::given_out;
            emptiest->tasks.push_back({*candidate, seconds_of(number, *candidate)});
            if (emptiest->tasks.size() == 1)
                begin(number, static_cast<int>(emptiest - island.evaluators.begin()));
        }
    }

    void begin(int island, int number) {
        auto& evaluator =
            islands_[static_cast<std::size_t>(island)].evaluators[static_cast<std::size_t>(number)];
        evaluator.started = time_;
        events_.push({time_ + evaluator.tasks.front().seconds, island, number});
    }

    void end_candidate(const Event& event) {
        auto& island = islands_[static_cast<std::size_t>(event.island)];
        auto& evaluator = island.evaluators[static_cast<std::size_t>(event.evaluator)];
        const Task task = evaluator.tasks.front();
        evaluator.tasks.pop_front();
        island.unsaved += task.seconds;
        island.states[task.candidate - island.told * s_.population] = State::done;
        if (!evaluator.tasks.empty()) begin(event.island, event.evaluator);
        advance(event.island);
    }

    /// Ends generations that are complete, here and at neighbours that waited for migrants.
    void advance(int first) {
        std::vector<int> work{first};
        while (!work.empty()) {
            const int number = work.back();
            work.pop_back();
            auto& island = islands_[static_cast<std::size_t>(number)];
            while (!island.finished && ready(number)) {
                tell(island);
                const auto& targets = topology_.targets[static_cast<std::size_t>(number)];
                if (island.finished || island.told % interval() == 0)
                    work.insert(work.end(), targets.begin(), targets.end());
            }
            hand_out(number);
        }
    }

    std::uint64_t interval() const { return static_cast<std::uint64_t>(s_.migration.interval); }

    bool ready(int number) const {
        const auto& island = islands_[static_cast<std::size_t>(number)];
        if (island.states.size() < s_.population) return false;
        for (std::uint64_t i = 0; i < s_.population; ++i)
            if (island.states[i] < State::done) return false;
        const auto lag = static_cast<std::uint64_t>(s_.migration.lag);
        if (s_.mode == Mode::asynchronous || island.told < lag ||
            (island.told - lag + 1) % interval() != 0)
            return true;
        const auto& sources = topology_.sources[static_cast<std::size_t>(number)];
        return std::all_of(sources.begin(), sources.end(), [&](int source) {
            const auto& other = islands_[static_cast<std::size_t>(source)];
            return other.finished || other.told > island.told - lag;
        });
    }

    void tell(SimulatedIsland& island) {
        ++island.told;
        fruitful_ = true;
        island.states.erase(island.states.begin(),
                            island.states.begin() + static_cast<std::ptrdiff_t>(s_.population));
        for (auto& state : island.states)
            if (state == State::done) state = State::saved;
        island.saved += island.unsaved;
        island.unsaved = 0;
        island.scan = std::max(island.scan, island.told * s_.population);
        if (island.told * s_.population < ask_limit()) return;
        island.finished = true;
        --running_;
    }

    SimulationResult summary() {
        auto result = result_;
        result.generations = std::numeric_limits<std::uint64_t>::max();
        for (const auto& island : islands_) {
            result.useful += island.saved;
            result.generations = std::min(result.generations, island.told);
            result.evaluations += island.told * s_.population;
        }
        result.wall = time_;
        return result;
    }

    const SimulationSettings& s_;
    std::uint64_t window_;
    Topology topology_;
    RandomStream failures_;
    std::vector<SimulatedIsland> islands_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    SimulationResult result_;
    double time_ = 0;
    double fails_at_ = 0;
    int running_ = 0;
    int fruitless_ = 0;
    bool fruitful_ = false;
};

}  // namespace

double SimulationResult::utilisation(const SimulationSettings& settings) const {
    return wall > 0 ? useful / (wall * settings.islands * settings.evaluators) : 0;
}

SimulationResult simulate(const SimulationSettings& settings) {
    if (settings.generations == 0 && !std::isfinite(settings.wall_time))
        throw UsageError("the simulated run would never end", "nothing limits it",
                         "set budget.evaluations, budget.generations or budget.wall_time.");
    return Simulation(settings).run();
}

}  // namespace galapagos
