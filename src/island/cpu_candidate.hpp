// A candidate merged and run by this process' threads.
#pragma once

#include "island/candidate_model.hpp"
#include "merge/merger.hpp"

namespace galapagos {

class CpuCandidate final : public CandidateModel {
  public:
    /// Collective over `group`. `layout_source` gives the architecture, its folder the end-of-text
    /// ids. Sources, group and all memory are held for the life of the object.
    CpuCandidate(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                 const Communicator& group, std::uint64_t seed, DecoderOptions options);
    /// The same for another network; its layers run along the route, if that has hops.
    CpuCandidate(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                 Architecture architecture, const LayerRoute& route, const Communicator& group,
                 std::uint64_t seed, DecoderOptions options);

    void merge(const MergePlan& plan) override { merger_.merge(plan, arena_); }
    Decoder& decoder() override { return decoder_; }
    const Arena& arena() const { return arena_; }

  private:
    Merger merger_;
    Decoder decoder_;
};

}  // namespace galapagos
