// Runs under mpirun with 1, 2 and 4 ranks: the tensor-parallel width is the number of ranks.
#include <gmock/gmock.h>

#include "base/error.hpp"
#include "merge/merge_to_folder.hpp"
#include "model/decoder_fixture.hpp"
#include "support/path_model.hpp"

namespace galapagos {
namespace {

using test::random_ids;
using Ids = std::vector<int32_t>;

/// Two tiny models, and decoders over paths through them.
class LayerPathTest : public ::testing::Test {
  protected:
    LayerPathTest() {
        auto options = test::uneven_model();
        options.layers = 3;
        test::make_tiny_model(folder_ / "a", options);
        ++options.seed;
        test::make_tiny_model(folder_ / "b", options);
    }

    Recipe recipe(const std::vector<std::pair<const char*, int64_t>>& layers) const {
        Recipe result;
        result.method = Method::passthrough;
        result.base_model = (folder_ / "a").string();
        result.layer_path.emplace();
        for (const auto& [model, layer] : layers)
            result.layer_path->hops.push_back({{(folder_ / model).string(), layer}, 1});
        return result;
    }

    static DecoderOptions options(DType dtype) {
        auto result = test::TestDecoder::small();
        result.dtype = dtype;
        return result;
    }

    template <typename Model>
    std::vector<float> logits(Model& model, const LayerRoute& route, DType dtype,
                              const Ids& ids = random_ids(29, 3)) {
        return Decoder(model.architecture, model.sharding, model.arena, group_, options(dtype),
                       route)
            .logits(ids);
    }

    test::PathModel path_model(const Recipe& recipe, DType dtype) {
        return test::PathModel(recipe, dtype, group_.size(), group_.rank());
    }
    test::LoadedModel loaded(const std::string& name, DType dtype) {
        return test::LoadedModel(folder_ / name, dtype, group_.size(), group_.rank());
    }

    test::TemporaryFolder folder_;
    TensorGroup group_{Communicator::world()};
};

TEST_F(LayerPathTest, EveryLayerOnceIsThePlainModelBitForBit) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        auto path = path_model(recipe({{"a", 0}, {"a", 1}, {"a", 2}}), dtype);
        auto plain = loaded("a", dtype);
        EXPECT_EQ(path.route, LayerRoute::plain(3));
        EXPECT_EQ(logits(path, path.route, dtype), logits(plain, LayerRoute::plain(3), dtype));
    }
}

TEST_F(LayerPathTest, RepeatsAreTheUnrolledModelBitForBit) {
    const Recipe path = recipe({{"b", 2}, {"a", 0}, {"a", 0}, {"b", 2}, {"a", 1}});
    merge_to_folder(path, folder_ / "unrolled");
    for (const DType dtype : {DType::f32, DType::bf16}) {
        auto routed = path_model(path, dtype);
        auto unrolled = loaded("unrolled", dtype);
        EXPECT_EQ(routed.architecture.layers, 3);
        EXPECT_EQ(unrolled.architecture.layers, 5);
        EXPECT_LT(routed.arena.bytes(), unrolled.arena.bytes());
        EXPECT_EQ(logits(routed, routed.route, dtype),
                  logits(unrolled, LayerRoute::plain(5), dtype));
    }
}

TEST_F(LayerPathTest, EveryHopHasACacheOfItsOwn) {
    auto model = path_model(recipe({{"a", 1}, {"b", 0}, {"a", 1}, {"a", 1}}), DType::f32);
    model.route.rule = ScaleRule::stream;
    model.route.hops[2].scale = 0.7F;
    Decoder decoder(model.architecture, model.sharding, model.arena, group_, options(DType::f32),
                    model.route);
    const Ids prompt = random_ids(11, 5);
    const Generation cached = decoder.generate({{prompt, 8, {}}}).at(0);
    Ids ids = prompt;
    for (int i = 0; i < 8; ++i) {
        const auto all = decoder.logits(ids);
        const auto last = all.end() - model.architecture.vocabulary;
        ids.push_back(static_cast<int32_t>(std::max_element(last, all.end()) - last));
    }
    EXPECT_EQ(cached.ids, Ids(ids.begin() + 11, ids.end()));
}

TEST_F(LayerPathTest, RoutesMayChange) {
    auto model = path_model(recipe({{"a", 0}, {"a", 1}, {"b", 0}}), DType::f32);
    auto roomy = options(DType::f32);
    roomy.max_hops = 5;
    Decoder decoder(model.architecture, model.sharding, model.arena, group_, roomy, model.route);
    const Ids ids = random_ids(29, 3);
    const auto first = decoder.logits(ids);
    const LayerRoute longer{ScaleRule::branch, {{2, 1}, {0, 0.5F}, {2, 1}, {1, 1}, {0, 1}}};
    decoder.set_route(longer);
    EXPECT_EQ(decoder.logits(ids), logits(model, longer, DType::f32));
    decoder.set_route(model.route);
    EXPECT_EQ(decoder.logits(ids), first);

    EXPECT_THROW(decoder.set_route({}), Error);
    EXPECT_THROW(decoder.set_route({ScaleRule::branch, {{3, 1}}}), Error);
    EXPECT_THROW(decoder.set_route({ScaleRule::branch, {{-1, 1}}}), Error);
    EXPECT_THROW(
        decoder.set_route({ScaleRule::branch, {{0, std::numeric_limits<float>::quiet_NaN()}}}),
        Error);
    EXPECT_THROW(decoder.set_route(LayerRoute{ScaleRule::branch, std::vector<RouteHop>(6)}), Error);
    EXPECT_EQ(decoder.logits(ids), first);
}

TEST_F(LayerPathTest, ScaleRulesDiffer) {
    auto model = path_model(recipe({{"a", 0}, {"a", 1}, {"b", 0}}), DType::f32);
    LayerRoute branch = model.route;
    branch.hops[1].scale = 0.5F;
    LayerRoute stream = branch;
    stream.rule = ScaleRule::stream;
    const auto plain = logits(model, model.route, DType::f32);
    EXPECT_NE(logits(model, branch, DType::f32), plain);
    EXPECT_NE(logits(model, stream, DType::f32), logits(model, branch, DType::f32));
    // Before the first layer there is nothing but the stream.
    branch.hops[1].scale = stream.hops[1].scale = 1;
    branch.hops[0].scale = stream.hops[0].scale = 2;
    EXPECT_EQ(logits(model, stream, DType::f32), logits(model, branch, DType::f32));
    EXPECT_NE(logits(model, stream, DType::f32), plain);
}

}  // namespace
}  // namespace galapagos
