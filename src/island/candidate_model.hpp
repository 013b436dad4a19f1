// One merged model in memory: sources stay resident, candidates are merged one after the other into
// the same arena.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/tensor_group.hpp"
#include "island/merge_forms.hpp"
#include "merge/plan.hpp"
#include "model/decoder.hpp"
#include "weights/arena.hpp"
#include "weights/source.hpp"

namespace galapagos {

/// What `config`, read from `layout_source`, describes. One source with an output head of its own
/// gives the candidate one.
Architecture candidate_architecture(const nlohmann::json& config, const Source& layout_source,
                                    const std::vector<std::shared_ptr<const Source>>& sources);

/// On a machine of some kind; whoever evaluates candidates need not know which.
class CandidateModel {
  public:
    virtual ~CandidateModel() = default;
    CandidateModel(const CandidateModel&) = delete;
    CandidateModel& operator=(const CandidateModel&) = delete;

    /// Makes the plan's model the one that the decoder runs.
    virtual void merge(const MergePlan& plan) = 0;
    /// Begins with a plan that will probably be merged next, beside what the decoder does; the
    /// decoder runs what was merged last. Whether or not it comes, merges give the same. Errors as
    /// from `merge`, which will fail by itself then.
    virtual void prepare(const MergePlan&) {}
    /// Whether `prepare` does anything. The same on all ranks of a group.
    virtual bool prepares() const { return false; }
    virtual Decoder& decoder() = 0;
    /// Where the sources lie and why, as a sentence or more; empty where they stay in their files.
    virtual std::string about_sources() const { return {}; }

    const std::vector<std::shared_ptr<const Source>>& sources() const { return sources_; }
    const SourceIndex& index() const { return index_; }

  protected:
    /// Collective over `group`. `layout_source` says how tensors are cut. A route without hops
    /// stands for every layer once. `use`: of the arena.
    CandidateModel(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                   Architecture architecture, const LayerRoute& route, const Communicator& group,
                   DType dtype, ArenaUse use = ArenaUse::memory);

    std::vector<std::shared_ptr<const Source>> sources_;
    SourceIndex index_;
    Architecture architecture_;
    LayerRoute first_route_;
    Sharding sharding_;
    TensorGroup group_;
    /// Where each tensor of a candidate lies; of a machine with memory of its own, a layout.
    Arena arena_;
};

/// Makes candidates on one kind of machine: make_cpu_candidate, cuda::make_gpu_candidate, a test's.
/// Collective over `group`. `layout_source` says how tensors are cut; layers run along the route,
/// if that has hops. Sources, group and all memory are held for the life of the candidate.
using CandidateFactory = std::function<std::unique_ptr<CandidateModel>(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, const MergeForms& forms)>;

/// End-of-text ids of a model folder: `eos_token_id` of generation_config.json, else of
/// config.json.
std::vector<std::int32_t> end_of_text_ids(const ModelFolder& folder);

/// What stands for an empty context: the folder's BOS id, else its first end-of-text id.
std::optional<std::int32_t> prefix_id(const ModelFolder& folder);

}  // namespace galapagos
