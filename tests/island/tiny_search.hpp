// A search over tiny models, with candidates on any machine.
#pragma once

#include <fstream>
#include <string>
#include <utility>

#include "island/model_evaluator.hpp"
#include "island/run_support.hpp"
#include "merge/merge_fixtures.hpp"

namespace galapagos::test {

/// Three relatives with a tokenizer, a task over text, and a space whose first gene is the method.
class TinySearch {
  public:
    TinySearch() : sources_(tiny_sources(folder_, {"base", "a", "b"}, model_options())) {
        for (const std::string split : {"train", "validation", "test"})
            std::ofstream(folder_ / (split + ".jsonl"))
                << item(split + "-x", "the thing to " + split, " in the ring")
                << item(split + "-y", "7 and 8 in " + split, " is 15");
        std::ofstream(folder_ / "task.yaml")
            << "galapagos_task: 1\nname: text\nkind: loglikelihood\n"
               "items: {train: train.jsonl, validation: validation.jsonl, test: test.jsonl}\n"
               "prompt: \"{context}\"\nloglikelihood: {continuation: \"{continuation}\"}\n";
    }

    std::shared_ptr<const SearchSpace> space() const {
        SearchSettings search;
        search.layer_groups = 2;
        search.genes["weight"] = {0, 1, 0.5};
        search.genes["density"] = {0.3, 1, 0.7};
        MergeSettings merge;
        merge.methods = {"ties", "dare_ties", "task_arithmetic"};
        return make_search_space(
            search, merge,
            {"base", {{"a", "a", 2}, {"b", "b", 2}}, 2, sources_[0]->tensor_names()});
    }
    /// Layer paths through a and b, with the embeddings of the base.
    std::shared_ptr<const SearchSpace> path_space() const {
        SearchSettings search;
        search.space = SearchSettings::Space::dfs;
        search.path.repeats = 2;
        return make_search_space(search, {}, {"base", {{"a", "a", 2}, {"b", "b", 2}}, 2, {}});
    }
    /// Collective over `group`.
    ModelEvaluator evaluator(const Communicator& group, const CandidateFactory& factory) const {
        return evaluator(group, factory, space());
    }
    ModelEvaluator evaluator(const Communicator& group, const CandidateFactory& factory,
                             std::shared_ptr<const SearchSpace> space) const {
        EvaluationSettings settings;
        settings.dtype = DType::f32;
        settings.max_batch = 2;
        settings.batch_tokens = 32;
        return {
            sources_, std::move(space), {{Task::load(folder_ / "task.yaml"), 1}}, settings, group,
            5,        factory};
    }
    HistorySchema schema() const {
        HistorySchema schema;
        const auto searched = space();
        for (const auto& gene : searched->genes()) schema.genes.push_back(gene.name);
        schema.tasks = {{"text", AnswerType::real, {"train-x", "train-y"}}};
        return schema;
    }
    std::unique_ptr<Optimizer> optimizer(int island) const {
        OptimizerSettings settings;
        settings.kind = OptimizerKind::ga;
        settings.population = 6;
        return make_optimizer(settings, space()->genes(), 5, static_cast<std::uint32_t>(island));
    }

  private:
    static std::string item(const std::string& id, const std::string& context,
                            const std::string& continuation) {
        const nlohmann::json item{{"id", id}, {"context", context}, {"continuation", continuation}};
        return item.dump() + "\n";
    }
    static TinyModelOptions model_options() {
        TinyModelOptions options;
        options.tokenizer = true;
        options.vocab = 270;
        options.tied = true;
        options.scale = 0.2;
        return options;
    }

    TemporaryFolder folder_;
    Sources sources_;
};

}  // namespace galapagos::test
