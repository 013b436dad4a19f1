// Evaluates genomes: recipe, merge in memory, tasks.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/device_choice.hpp"
#include "genome/search_space.hpp"
#include "island/candidate_model.hpp"
#include "island/candidate_network.hpp"
#include "island/evaluator.hpp"
#include "task/prepared_task.hpp"

namespace galapagos {

/// One task of the run with its share in the fitness.
struct WeightedTask {
    Task task;
    double weight = 1;
};

/// Options of an evaluation, section `evaluation` of the config.
struct EvaluationSettings {
    int tensor_parallel = 1;
    DType dtype = DType::bf16;
    int max_batch = 32;
    int batch_tokens = 1024;
    Reductions reductions = Reductions::exact;
    int threads = 0;  ///< a rank; 0: the node's cores shared out
    DeviceWish device = DeviceWish::cpu;
    bool share_gpus = false;
};

class ModelEvaluator : public CandidateEvaluator {
  public:
    /// Collective over `group`. The first source is the base, or the layout's donor where there is
    /// none.
    ModelEvaluator(std::vector<std::shared_ptr<const Source>> sources,
                   std::shared_ptr<const SearchSpace> space, std::vector<WeightedTask> tasks,
                   const EvaluationSettings& settings, const Communicator& group,
                   std::uint64_t seed, const CandidateFactory& make_candidate);

    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override;

    /// See CandidateModel.
    std::string about_sources() const { return model_->about_sources(); }

    /// See remark_on_cuts; a line each.
    std::vector<std::string> remarks() const;

    /// True when some task has items of this stage.
    bool has_stage(Stage stage) const;

  private:
    void make_model(const Recipe& recipe);
    MergePlan plan_of(const Recipe& recipe) const;
    std::function<bool()> between_batches(const EvaluationHooks& hooks);
    bool prepare_next(const EvaluationHooks& hooks);
    bool run_tasks(Stage stage, CandidateResult& result, const std::function<bool()>& keep_going);

    Communicator group_;
    std::shared_ptr<const SearchSpace> space_;
    std::vector<double> weights_;
    std::array<std::vector<std::unique_ptr<const PreparedTask>>, all_splits.size()>
        prepared_;  // [stage][task], null: no items
    std::unique_ptr<CandidateModel> model_;
    /// Of a search for layer paths: the layers that all of them run through, merged at the start.
    std::optional<LayerSlots> slots_;
    bool next_known_ = false;  ///< and prepared, as far as that goes
};

/// Tokenises the splits of tasks for a model folder.
PrepareOptions prepare_options(const Source& source);

}  // namespace galapagos
