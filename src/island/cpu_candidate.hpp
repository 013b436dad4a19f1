// A candidate merged and run by this process' threads.
#pragma once

#include "island/candidate_model.hpp"
#include "merge/merger.hpp"

namespace galapagos {

class CpuCandidate final : public CandidateModel {
  public:
    /// As a CandidateFactory makes it.
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

/// The CandidateFactory of CPUs.
std::unique_ptr<CandidateModel> make_cpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, const MergeForms& forms);

}  // namespace galapagos
