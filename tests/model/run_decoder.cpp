// Runs a decoder on requests from a JSON file, for tests that compare it with other programs:
//   [mpirun -n WIDTH] run_decoder (MODEL F32|BF16 REQUESTS.json ANSWERS.json)...
// MODEL is a folder, or a recipe (.yaml) with a layer path.
// Requests: {"options": {...}, "logits": [[ids]...], "generate": [{prompt, max_new_tokens,
// stop_ids}], "score": [{context, continuation}]}. Answers: the same keys; logits are written as
// raw fp32 to ANSWERS.json.logits, one sequence after the other. "seconds" tells how long each part
// took.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "comm/communicator.hpp"
#include "model/memory.hpp"
#include "support/loaded_model.hpp"
#include "support/path_model.hpp"

namespace galapagos {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

DecoderOptions read_options(const json& requests, DType dtype) {
    const json options = requests.value("options", json::object());
    DecoderOptions result;
    result.dtype = dtype;
    result.max_batch = options.value("max_batch", result.max_batch);
    result.max_tokens = options.value("max_tokens", result.max_tokens);
    result.batch_tokens = options.value("batch_tokens", result.batch_tokens);
    return result;
}

/// Every rank computes, rank 0 writes.
void write_logits(Decoder& decoder, const json& sequences, const std::string& path, bool root) {
    std::ofstream file;
    if (root) file.open(path, std::ios::binary);
    for (const json& ids : sequences) {
        const std::vector<float> logits = decoder.logits(ids.get<Ids>());
        if (!root) continue;
        file.write(reinterpret_cast<const char*>(logits.data()),
                   static_cast<std::streamsize>(logits.size() * sizeof(float)));
    }
}

json generate(Decoder& decoder, const json& requests) {
    std::vector<GenerationRequest> prompts;
    for (const json& request : requests)
        prompts.push_back({request.at("prompt").get<Ids>(), request.at("max_new_tokens").get<int>(),
                           request.value("stop_ids", Ids{})});
    json answers = json::array();
    for (const Generation& generation : decoder.generate(prompts))
        answers.push_back({{"ids", generation.ids}, {"finished", generation.finished}});
    return answers;
}

json score(Decoder& decoder, const json& requests) {
    std::vector<ScoreRequest> pairs;
    for (const json& request : requests)
        pairs.push_back({request.at("context").get<Ids>(), request.at("continuation").get<Ids>()});
    json answers = json::array();
    for (const Score& result : decoder.score(pairs))
        answers.push_back({{"log_likelihood", result.log_likelihood}, {"greedy", result.greedy}});
    return answers;
}

void answer(Decoder& decoder, const json& requests, const std::string& answers_path, bool root) {
    json answers;
    const auto timed = [&](const char* part, auto&& body) {
        if (!requests.contains(part)) return;
        const Stopwatch watch;
        body(requests.at(part));
        answers["seconds"][part] = watch.seconds();
    };
    timed("generate", [&](const json& r) { answers["generate"] = generate(decoder, r); });
    timed("score", [&](const json& r) { answers["score"] = score(decoder, r); });
    timed("logits",
          [&](const json& r) { write_logits(decoder, r, answers_path + ".logits", root); });
    if (root) std::ofstream(answers_path) << answers.dump() << '\n';
}

void run(const std::string& name, DType dtype, const std::string& requests_path,
         const std::string& answers_path) {
    const json requests = json::parse(read_text(requests_path));
    const DecoderOptions options = read_options(requests, dtype);
    TensorGroup group{Communicator::world()};
    const auto answer_with = [&](auto& model, const LayerRoute& route) {
        Decoder decoder(model.architecture, model.sharding, model.arena, group, options, route);
        answer(decoder, requests, answers_path, group.rank() == 0);
    };
    if (name.ends_with(".yaml")) {
        test::PathModel model(parse_recipe(name), dtype, group.size(), group.rank());
        answer_with(model, model.route);
    } else {
        test::LoadedModel model(name, dtype, group.size(), group.rank());
        answer_with(model, LayerRoute::plain(model.architecture.layers));
    }
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    try {
        galapagos::MpiSession mpi(argc, argv);
        if (argc < 5 || argc % 4 != 1) {
            fmt::print(stderr,
                       "usage: run_decoder (MODEL F32|BF16 REQUESTS.json ANSWERS.json)...\n");
            return 2;
        }
        galapagos::keep_freed_memory();
        for (char** job = argv + 1; job < argv + argc; job += 4)
            galapagos::run(job[0], galapagos::parse_dtype(job[1]).value(), job[2], job[3]);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "run_decoder: {}\n", error.what());
        return 1;
    }
}
