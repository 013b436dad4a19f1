// The forward pass of several ranks on real GPUs: what NCCL brings is added up as on the host.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.hpp"
#include "comm/cuda/memory.hpp"
#include "comm/tensor_group.hpp"
#include "gpu/ranks_on_gpus.hpp"
#include "model/cuda/cuda_work.hpp"
#include "model/cuda/device_pass.hpp"
#include "model/device_models.hpp"

namespace galapagos {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int64_t vocabulary = 67;

/// A GPU's work, but for sums over the ranks, which the host makes.
template <typename T>
class SumsOnHost final : public cuda::DeviceWork<T> {
  public:
    SumsOnHost(cuda::CudaWork<T>& gpu, TensorGroup& group) : gpu_(gpu), group_(group) {}

    std::byte* reserve(std::size_t bytes) override { return gpu_.reserve(bytes); }
    void run(const cuda::ForwardJob<T>& job) override { gpu_.run(job); }
    void multiply(const T* input, std::int64_t rows,
                  std::span<const Product<T>> products) override {
        gpu_.multiply(input, rows, products);
    }
    void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                          float* output) override {
        gpu_.multiply_partial(layer, input, rows, output);
    }
    void sum_shares(float*, std::int64_t) override { FAIL() << "the host's are exact"; }
    /// The first share is the sum, the others are zero.
    void gather_shares(float* shares, std::int64_t count) override {
        const auto one = static_cast<std::size_t>(count);
        std::vector<float> all(one * static_cast<std::size_t>(group_.size()));
        const auto sum = std::span(all).first(one);
        gpu_.copy_out(shares + group_.rank() * count, sum.size_bytes(), sum.data());
        group_.all_reduce_sum(sum);
        gpu_.copy_in(all.data(), all.size() * sizeof(float), shares);
    }
    void replay(const cuda::StepShape&, const std::function<void()>& step) override { step(); }
    void forget_steps() override {}
    void copy_in(const void* from, std::size_t bytes, void* to) override {
        gpu_.copy_in(from, bytes, to);
    }
    void copy_out(const void* from, std::size_t bytes, void* to) override {
        gpu_.copy_out(from, bytes, to);
    }

  private:
    cuda::CudaWork<T>& gpu_;
    TensorGroup& group_;
};

template <typename T>
class ForwardPassOfRanks : public test::RanksOnGpus {
  protected:
    static constexpr DType dtype = std::is_same_v<T, float> ? DType::f32 : DType::bf16;

    void SetUp() override {
        test::RanksOnGpus::SetUp();
        if (!IsSkipped()) group_ = TensorGroup(world_);
    }

    static DecoderOptions options(Reductions reductions) {
        DecoderOptions options;
        options.reductions = reductions;
        options.dtype = dtype;
        options.max_batch = 3;
        options.max_tokens = 64;
        options.batch_tokens = 64;
        return options;
    }

    /// What sums in another order may move of logits around 1.
    static constexpr float rounding = std::is_same_v<T, float> ? 1e-4F : 0.06F;

    static void step(ForwardPass& pass, std::int64_t number) {
        pass.run(Ids{3, 5}, std::vector<Segment>{{2, 21 + number, 1}, {0, 12 + number, 1}},
                 Ids{0, 1});
    }

    /// Logits after prompts and single tokens, of which so many that the last are replayed.
    static std::vector<float> logits_of(ForwardPass& pass) {
        Ids ids(33);
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i] = static_cast<std::int32_t>(i * i * 7 % vocabulary);
        pass.run(ids, std::vector<Segment>{{0, 0, 12}, {2, 0, 21}}, Ids{11, 32});
        for (std::int64_t number = 0; number < 5; ++number) step(pass, number);
        std::vector<float> logits(2 * vocabulary);
        pass.logits(logits.data());
        return logits;
    }

    /// Another step, for which the others don't come.
    void wait_in_vain(ForwardPass& pass) {
        try {
            step(pass, 5);
            std::vector<HeadAnswer> answers(1);
            pass.answer(std::vector<HeadQuery>{{0, -1}}, answers);
            ADD_FAILURE() << "a rank made a step alone";
        } catch (const MachineError& error) {
            EXPECT_THAT(error.what(), ::testing::HasSubstr(waited()));
        }
    }

    TensorGroup group_;
};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(ForwardPassOfRanks, ElementTypes);

TYPED_TEST(ForwardPassOfRanks, HasTheBitsOfSumsOnTheHost) {
    using T = TypeParam;
    for (const test::DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        test::DrawnModel model(each, this->dtype, this->group_.size(), this->group_.rank());
        cuda::MemoryPlan plan;
        plan.add("candidate", model.arena.bytes());
        const cuda::DeviceArena weights(plan);
        const cuda::Stream stream;
        const auto logits_over = [&](cuda::DeviceWork<T>& work, Reductions reductions) {
            work.copy_in(model.arena.span().data(), model.arena.bytes(), weights.at(0));
            const auto pass = cuda::make_device_pass<T>(
                model.architecture, model.sharding, model.arena, weights.at(0), work, this->group_,
                this->options(reductions), LayerRoute::plain(model.architecture.layers));
            return this->logits_of(*pass);
        };
        cuda::CudaWork<T> first(stream, this->group_), second(stream, this->group_),
            third(stream, this->group_);
        SumsOnHost<T> by_host(second, this->group_);
        const auto expected = logits_over(by_host, Reductions::exact);
        EXPECT_EQ(logits_over(first, Reductions::exact), expected);
        for (const float logit : expected) ASSERT_TRUE(std::isfinite(logit));
        if (each.config.contains("num_local_experts")) continue;  // roundings may choose others
        const auto fast = logits_over(third, Reductions::fast);
        EXPECT_THAT(fast, ::testing::Pointwise(::testing::FloatNear(this->rounding), expected));
    }
}

/// Its graphs are gone before NCCL aborts, which would wait for them.
TYPED_TEST(ForwardPassOfRanks, ARecordedStepThatOthersDoNotMakeEndsInAnErrorAndNotInAHang) {
    using T = TypeParam;
    const test::DeviceModel any = test::device_models().front();
    test::DrawnModel model(any, this->dtype, this->group_.size(), this->group_.rank());
    cuda::MemoryPlan plan;
    plan.add("candidate", model.arena.bytes());
    const cuda::DeviceArena weights(plan);
    const cuda::Stream stream;
    cuda::CudaWork<T> work(stream, this->group_, this->patience_);
    work.copy_in(model.arena.span().data(), model.arena.bytes(), weights.at(0));
    const auto pass = cuda::make_device_pass<T>(
        model.architecture, model.sharding, model.arena, weights.at(0), work, this->group_,
        this->options(Reductions::exact), LayerRoute::plain(model.architecture.layers));
    this->logits_of(*pass);
    if (this->world_.rank() == 0) this->wait_in_vain(*pass);
    this->world_.barrier();
}

}  // namespace
}  // namespace galapagos
