#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "task/language_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace galapagos::testing {

/// Plays a language model: answers each prompt with a text that the test decides, one id after the
/// other, through the hooks that the decoder calls; scores by a function of the test.
class FakeModel final : public LanguageModel {
  public:
    explicit FakeModel(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

    std::function<std::string(const std::string& prompt)> reply;
    std::function<Score(const ScoreRequest&)> judge;

    std::vector<GenerationRequest> generation_requests;
    std::vector<ScoreRequest> score_requests;
    std::size_t generated_ids = 0;

    std::vector<Generation> generate(const std::vector<GenerationRequest>& requests,
                                     const GenerationHooks& hooks) override {
        generation_requests = requests;
        std::vector<Generation> generations(requests.size());
        for (std::size_t row = 0; row < requests.size(); ++row) {
            if (hooks.keep_going && !hooks.keep_going()) {
                break;
            }
            generations[row] = run(requests[row], row, hooks);
        }
        return generations;
    }

    std::vector<Score> score(const std::vector<ScoreRequest>& requests,
                             const std::function<bool()>& keep_going) override {
        score_requests = requests;
        std::vector<Score> scores(requests.size(), {std::nan(""), false});
        for (std::size_t row = 0; row < requests.size(); ++row) {
            if (keep_going && !keep_going()) {
                break;
            }
            scores[row] = judge(requests[row]);
        }
        return scores;
    }

  private:
    Generation run(const GenerationRequest& request, std::size_t row,
                   const GenerationHooks& hooks) {
        Generation generation;
        for (const std::int32_t id :
             tokenizer_.encode(reply(tokenizer_.decode(request.prompt, false)), false)) {
            for (const std::int32_t stop : request.stop_ids) {
                if (id == stop) {
                    generation.finished = true;
                    return generation;
                }
            }
            generation.ids.push_back(id);
            ++generated_ids;
            if (hooks.finished && hooks.finished(row, generation.ids)) {
                generation.finished = true;
                return generation;
            }
            if (generation.ids.size() == static_cast<std::size_t>(request.max_new_tokens)) {
                return generation;
            }
        }
        generation.finished = true;
        return generation;
    }

    Tokenizer tokenizer_;
};

}  // namespace galapagos::testing
