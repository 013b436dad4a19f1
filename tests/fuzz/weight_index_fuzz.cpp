#include "fuzz/fuzz_input.hpp"
#include "weights/model_folder.hpp"

using namespace galapagos;

/// model.safetensors.index.json of a folder with one shard, which holds the tensor "a".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool made = [] {
        const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  )";
        std::string shard(8, '\0');
        shard[0] = static_cast<char>(header.size());
        fuzz::scratch().write("config.json", R"({"model_type": "llama"})");
        fuzz::scratch().write("model-00001-of-00001.safetensors",
                              shard + header + std::string(4, '\0'));
        return true;
    }();
    fuzz::scratch().write("model.safetensors.index.json", fuzz::text_of(data, made ? size : 0));
    fuzz::may_refuse([] { ModelFolder folder(fuzz::scratch().path()); });
    return 0;
}
