#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "genome/gene.hpp"

namespace galapagos {

/// How a candidate came about. The numbers are part of the history format: add, never renumber.
enum class Origin : uint8_t {
    initial = 0,    ///< drawn before any result was known
    crossover = 1,  ///< recombined from two parents (and perhaps mutated)
    mutation = 2,   ///< a mutated copy of one parent
    sample = 3,     ///< drawn from a distribution (CMA-ES, random search)
    migrant = 4,    ///< came from another island, perhaps moved by the optimiser that took it in
    reset = 5,      ///< a duplicate, made new by drawing one gene afresh
};
const char* name_of(Origin origin);

/// A candidate as the optimiser draws it. The caller gives it its id.
struct Individual {
    uint64_t id = 0;
    Genome genome;
    Origin origin = Origin::initial;
    std::vector<uint64_t> parents;  ///< ids of evaluated individuals, at most two
};

/// A candidate with its result. Fitness is maximised; a failed evaluation has -infinity
/// (NaN is read as -infinity).
struct Evaluated {
    uint64_t id = 0;
    Genome genome;
    double fitness = 0.0;
};

using Diagnostics = std::vector<std::pair<std::string, double>>;

/// Search by ask and tell.
///
/// `ask` draws one candidate. `tell` takes the results of the oldest population_size() candidates
/// not yet told, in the order they were asked for, and makes one generation. Candidates of later
/// generations may be asked for before (a window of outstanding candidates, of any size): candidate
/// k depends on the seed, the island, k and the results told (and migrants injected) before it was
/// asked for, and on nothing else. So a caller that fixes after how many tells each ask happens
/// gets the same search at every speed.
class Optimizer {
  public:
    virtual ~Optimizer() = default;

    /// "ga", "cma_es" or "random".
    virtual std::string name() const = 0;
    virtual size_t population_size() const = 0;

    /// Draws the next candidate; `id` is left 0.
    virtual Individual ask() = 0;

    /// Exactly population_size() results, in ask order. Throws Error on another number, or when a
    /// genome is not the one that was asked for.
    virtual void tell(std::span<const Evaluated> batch) = 0;

    /// Takes in elites of other islands. Call it only between tells.
    virtual void inject(std::span<const Evaluated> migrants) = 0;

    /// The n best distinct individuals of this island, best first (fewer when there are fewer). A
    /// genetic algorithm counts the migrants in its population among them.
    virtual std::vector<Evaluated> elites(size_t n) const = 0;

    /// Named numbers for the history, the same names at every call.
    virtual Diagnostics diagnostics() const = 0;

    /// The complete state, outstanding candidates included; doubles keep their bits. `load` accepts
    /// only a state of an optimiser of the same kind, population, seed, island and genes, and
    /// throws Error otherwise; an optimiser whose load failed must not be used.
    virtual nlohmann::json save() const = 0;
    virtual void load(const nlohmann::json& state) = 0;

    /// Candidates asked for, and generations told, since the beginning of the run.
    virtual uint64_t asked() const = 0;
    virtual uint64_t generation() const = 0;
};

struct OptimizerSettings;

/// The optimiser that `settings` names. Throws UsageError when it can't handle a gene's type.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings,
                                          const std::vector<Gene>& genes, uint64_t seed,
                                          uint32_t island);

}  // namespace galapagos
