#include "task/evaluate.hpp"

namespace galapagos {

namespace {

class DecoderModel final : public LanguageModel {
  public:
    explicit DecoderModel(Decoder& decoder) : decoder_(decoder) {}

    std::vector<Generation> generate(const std::vector<GenerationRequest>& requests,
                                     const GenerationHooks& hooks) override {
        return decoder_.generate(requests, hooks);
    }

    std::vector<Score> score(const std::vector<ScoreRequest>& requests,
                             const std::function<bool()>& keep_going) override {
        return decoder_.score(requests, keep_going);
    }

  private:
    Decoder& decoder_;
};

}  // namespace

TaskResult evaluate(const PreparedTask& task, Decoder& decoder, const EvaluateHooks& hooks) {
    DecoderModel model(decoder);
    return task.evaluate(model, hooks);
}

}  // namespace galapagos
