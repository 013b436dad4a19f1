#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace galapagos {

enum class GeneType { real, integer, categorical, binary };

/// One dimension of the search. Its value is a double in a genome: a real gene anything in
/// [lower, upper], an integer gene a whole number in [lower, upper], a categorical gene an index
/// into `choices`, a binary gene 0 or 1.
struct Gene {
    std::string name;
    GeneType type = GeneType::real;
    double lower = 0.0;
    double upper = 1.0;
    std::vector<std::string> choices;  ///< categorical only
    double initial = 0.5;              ///< where a search starts
    /// Standard deviation of a first population around `initial`, in box widths; 0: it takes up the
    /// whole box. Of a binary gene: how often it is not `initial` then.
    double spread = 0.0;
    /// The gene without which this one has no effect: that of this number, while it is above 0.
    std::optional<size_t> condition = std::nullopt;

    static Gene real(std::string name, double lower, double upper, double initial);
    static Gene integer(std::string name, long lower, long upper, long initial);
    static Gene categorical(std::string name, std::vector<std::string> choices, size_t initial = 0);
    static Gene binary(std::string name, bool initial = false);

    /// How many values an integer, categorical or binary gene can take; 0 for a real gene.
    size_t cardinality() const;
    /// Whether this gene has an effect on what `genome` stands for.
    bool active_in(std::span<const double> genome) const {
        return !condition || genome[*condition] > 0;
    }
    friend bool operator==(const Gene&, const Gene&) = default;
};

/// One value per gene, in the order of the genes.
using Genome = std::vector<double>;

const char* name_of(GeneType type);

/// The genome of all initial values.
Genome initial_genome(std::span<const Gene> genes);

/// Throws Error naming the first gene whose value is out of range, not whole or not finite.
void check_genome(std::span<const Gene> genes, std::span<const double> genome);

/// Throws UsageError unless the genes have unique names, sensible bounds, initial values inside,
/// and conditions that are genes without one.
void check_genes(std::span<const Gene> genes);

}  // namespace galapagos
