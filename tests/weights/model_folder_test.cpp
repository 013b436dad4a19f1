#include "weights/model_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.hpp"
#include "support/tiny_models.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::error_of;
using test::TinyModelOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* index_name = "model.safetensors.index.json";

class ModelFolderTest : public ::testing::Test {
  protected:
    fs::path make(const TinyModelOptions& options = {}) {
        fs::remove_all(folder_ / "model");
        return test::make_tiny_model(folder_ / "model", options);
    }
    fs::path make_sharded() {
        TinyModelOptions options;
        options.max_shard_bytes = 30'000;
        return make(options);
    }
    static json read(const fs::path& path) { return json::parse(read_text(path)); }
    static void write(const fs::path& path, const std::string& text) {
        std::ofstream(path) << text;
    }
    static std::string message(const fs::path& folder) {
        return error_of([&] { ModelFolder{folder}; });
    }

    /// Changes the index of a sharded model and returns the complaint.
    template <typename Change>
    std::string after_index_change(Change&& change) {
        const fs::path model = make_sharded();
        json index = read(model / index_name);
        change(index);
        write(model / index_name, index.dump());
        return message(model);
    }

    galapagos::testing::TemporaryFolder folder_;
};

TEST_F(ModelFolderTest, ReadsASingleFile) {
    const ModelFolder model(make());
    EXPECT_EQ(model.tensor_names().size(), 21u);
    EXPECT_TRUE(std::is_sorted(model.tensor_names().begin(), model.tensor_names().end()));
    EXPECT_EQ(model.tensor("model.norm.weight").shape, Shape{32});
    EXPECT_EQ(model.config()["hidden_size"], 32);
    EXPECT_FALSE(model.tied());
    EXPECT_TRUE(model.companion_files().empty());
    EXPECT_THAT(error_of([&] { model.tensor("model.norms.weight"); }),
                HasSubstr("model.norm.weight"));
}

TEST_F(ModelFolderTest, ReadsShards) {
    const ModelFolder sharded(make_sharded());
    EXPECT_GT(sharded.weight_files().size(), 1u);
    const ModelFolder single(test::make_tiny_model(folder_ / "single"));
    ASSERT_EQ(sharded.tensor_names(), single.tensor_names());
    for (const auto& name : single.tensor_names()) {
        const auto a = sharded.tensor(name).span();
        const auto b = single.tensor(name).span();
        EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << name;
    }
}

TEST_F(ModelFolderTest, ListsCompanions) {
    TinyModelOptions options;
    options.tokenizer = true;
    options.vocab = 280;
    EXPECT_THAT(ModelFolder(make(options)).companion_files(),
                ElementsAre("tokenizer.json", "tokenizer_config.json"));
}

TEST_F(ModelFolderTest, TiedModelsShowTheEmbeddingOnly) {
    TinyModelOptions options;
    options.tied = true;
    const ModelFolder model(make(options));
    EXPECT_TRUE(model.tied());
    EXPECT_FALSE(model.has("lm_head.weight"));
    EXPECT_TRUE(model.has("model.embed_tokens.weight"));
}

/// A Llama whose config.json ties the head, of two stored tensors.
class StoredHead : public ModelFolderTest {
  protected:
    ModelFolder make_with(const std::string& embedding, const std::string& head) {
        const fs::path path = folder_ / "stored-head";
        fs::create_directory(path);
        write(path / "config.json", R"({"model_type":"llama","tie_word_embeddings":true})");
        const std::string header =
            write_safetensors_header({{"model.embed_tokens.weight", DType::f32, {1, 2}, 0, 8},
                                      {"lm_head.weight", DType::f32, {1, 2}, 8, 16}},
                                     {});
        std::string bytes(8, '\0');
        bytes[0] = static_cast<char>(header.size());
        write(path / "model.safetensors", bytes + header + embedding + head);
        return ModelFolder(path);
    }
};

TEST_F(StoredHead, IsTheEmbeddingIfItIsACopy) {
    const ModelFolder model = make_with("abcdefgh", "abcdefgh");
    EXPECT_TRUE(model.tied());
    EXPECT_FALSE(model.has("lm_head.weight"));
}

TEST_F(StoredHead, CountsIfItDiffers) {
    const ModelFolder model = make_with("abcdefgh", "abcdefgx");
    EXPECT_FALSE(model.tied());
    EXPECT_TRUE(model.has("lm_head.weight"));
}

TEST_F(ModelFolderTest, AHeadStandsInForAMissingEmbedding) {
    const fs::path path = make();
    const ModelFolder whole(path);
    const auto head = whole.tensor("lm_head.weight");
    const fs::path other = folder_ / "head-only";
    fs::create_directory(other);
    write(other / "config.json", R"({"model_type":"llama","tie_word_embeddings":true})");
    const std::string header =
        write_safetensors_header({{"lm_head.weight", head.dtype, head.shape, 0, head.bytes()}}, {});
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    write(other / "model.safetensors",
          bytes + header + std::string(reinterpret_cast<const char*>(head.data), head.bytes()));
    EXPECT_THAT(ModelFolder(other).tensor_names(), ElementsAre("model.embed_tokens.weight"));
}

TEST_F(ModelFolderTest, FollowsLinksAsTheHubCacheMakesThem) {
    const fs::path model = make();
    const fs::path snapshot = folder_ / "snapshot";
    fs::create_directory(snapshot);
    for (const char* name : {"config.json", "model.safetensors"})
        fs::create_symlink(model / name, snapshot / name);
    EXPECT_EQ(ModelFolder(snapshot).tensor_names().size(), 21u);
}

TEST_F(ModelFolderTest, RefusesIncompleteFolders) {
    EXPECT_THAT(message(folder_ / "absent"), HasSubstr("not a folder"));
    const fs::path model = make();
    fs::remove(model / "model.safetensors");
    EXPECT_THAT(message(model), HasSubstr("neither model.safetensors nor"));
    write(model / "pytorch_model.bin", "");
    EXPECT_THAT(message(model), HasSubstr("convert_pickles.py"));
    write(model / "config.json", R"({"a":1,"a":2})");
    EXPECT_THAT(message(model), HasSubstr("'a' occurs twice"));
    write(model / "config.json", "[]");
    EXPECT_THAT(message(model), HasSubstr("not a JSON object"));
    fs::remove(model / "config.json");
    EXPECT_THAT(message(model), HasSubstr("config.json"));
}

TEST_F(ModelFolderTest, RefusesABadIndex) {
    EXPECT_THAT(after_index_change([](json& index) { index.erase("weight_map"); }),
                HasSubstr("weight_map is missing"));
    EXPECT_THAT(after_index_change([](json& index) { index["weight_map"]["x"] = 3; }),
                HasSubstr("weight_map 'x' is not a string"));
    EXPECT_THAT(after_index_change([](json& index) {
                    index["weight_map"]["x"] = "model-00001-of-00009.safetensors";
                }),
                HasSubstr("which is missing"));
    EXPECT_THAT(after_index_change([](json& index) {
                    index["weight_map"]["x"] = std::string(300, 'x') + ".safetensors";
                }),
                HasSubstr("which is missing"));
    EXPECT_THAT(after_index_change([](json& index) {
                    index["weight_map"]["x"] = index["weight_map"]["model.norm.weight"];
                }),
                HasSubstr("weight_map says that 'x' lies in"));
}

TEST_F(ModelFolderTest, RefusesAnIndexThatLeavesTheFolder) {
    test::make_tiny_model(folder_ / "outside");
    for (const std::string name :
         {"../outside/model.safetensors", "/etc/passwd", "sub/x.safetensors", "..\\x.safetensors",
          "", "x.bin", ".hidden.safetensors", "C:x.safetensors"}) {
        EXPECT_THAT(after_index_change([&](json& index) { index["weight_map"]["x"] = name; }),
                    HasSubstr("no .safetensors file of this folder"))
            << name;
    }
}

TEST_F(ModelFolderTest, RefusesATensorInTwoShards) {
    const fs::path model = make_sharded();
    json index = read(model / index_name);
    fs::copy_file(model / index["weight_map"]["lm_head.weight"], model / "copy.safetensors");
    index["weight_map"]["model.norm.weight"] = "copy.safetensors";
    write(model / index_name, index.dump());
    EXPECT_THAT(message(model), HasSubstr("lies in two weight files"));
}

}  // namespace
}  // namespace galapagos
