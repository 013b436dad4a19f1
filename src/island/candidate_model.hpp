// One merged model in memory: sources stay resident, candidates are merged one after the other into
// the same arena.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "comm/tensor_group.hpp"
#include "merge/merger.hpp"
#include "model/decoder.hpp"
#include "weights/arena.hpp"
#include "weights/source.hpp"

namespace galapagos {

/// What `config`, read from `layout_source`, describes. One source with an output head of its own
/// gives the candidate one.
Architecture candidate_architecture(const nlohmann::json& config, const Source& layout_source,
                                    const std::vector<std::shared_ptr<const Source>>& sources);

class CandidateModel {
  public:
    /// Collective over `group`. `layout_source` gives the architecture, its folder the end-of-text
    /// ids. Sources, group and all memory are held for the life of the object.
    CandidateModel(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                   const Communicator& group, std::uint64_t seed, DecoderOptions options);
    /// The same for another network; its layers run along the route, if that has hops.
    CandidateModel(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                   Architecture architecture, const LayerRoute& route, const Communicator& group,
                   std::uint64_t seed, DecoderOptions options);

    /// Writes the plan's model into the arena.
    void merge(const MergePlan& plan) { merger_.merge(plan, arena_); }
    Decoder& decoder() { return *decoder_; }
    TensorGroup& group() { return group_; }
    const Arena& arena() const { return arena_; }
    const std::vector<std::shared_ptr<const Source>>& sources() const { return sources_; }
    const SourceIndex& index() const { return index_; }

  private:
    std::vector<std::shared_ptr<const Source>> sources_;
    SourceIndex index_;
    Architecture architecture_;
    Sharding sharding_;
    TensorGroup group_;
    Arena arena_;
    Merger merger_;
    std::unique_ptr<Decoder> decoder_;
};

/// End-of-text ids of a model folder: `eos_token_id` of generation_config.json, else of
/// config.json.
std::vector<std::int32_t> end_of_text_ids(const ModelFolder& folder);

/// What stands for an empty context: the folder's BOS id, else its first end-of-text id.
std::optional<std::int32_t> prefix_id(const ModelFolder& folder);

}  // namespace galapagos
