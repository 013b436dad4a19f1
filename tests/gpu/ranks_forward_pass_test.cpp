// The forward pass of several ranks on real GPUs: what NCCL brings is added up as on the host.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

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
    std::byte* reserve_exchanged(std::size_t bytes) override {
        return gpu_.reserve_exchanged(bytes);
    }
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
    /// The same of this rank's slice.
    void exchange_shares(const float* shares, float* received, std::int64_t count) override {
        ++exchanges;
        std::vector<float> all(static_cast<std::size_t>(count * group_.size()));
        gpu_.copy_out(shares, all.size() * sizeof(float), all.data());
        group_.all_reduce_sum(all);
        const auto mine = all.begin() + group_.rank() * count;
        std::copy(mine, mine + count, all.begin());
        std::fill(all.begin() + count, all.end(), 0.0F);
        gpu_.copy_in(all.data(), all.size() * sizeof(float), received);
    }
    void gather_rows(T* rows, std::int64_t count) override {
        std::vector<T> mine(static_cast<std::size_t>(count));
        std::vector<T> all(mine.size() * static_cast<std::size_t>(group_.size()));
        gpu_.copy_out(rows + group_.rank() * count, mine.size() * sizeof(T), mine.data());
        group_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
        gpu_.copy_in(all.data(), all.size() * sizeof(T), rows);
    }
    void beside(int, const std::function<void()>& queue) override { queue(); }
    void await(int) override {}
    void replay(const cuda::StepShape&, const std::function<void()>& step) override { step(); }
    void forget_steps() override {}
    void copy_in(const void* from, std::size_t bytes, void* to) override {
        gpu_.copy_in(from, bytes, to);
    }
    void copy_out(const void* from, std::size_t bytes, void* to) override {
        gpu_.copy_out(from, bytes, to);
    }

    int exchanges = 0;

  private:
    cuda::CudaWork<T>& gpu_;
    TensorGroup& group_;
};

enum class Sums { by_nccl, by_host };

/// A tiny model on this rank's GPU, and passes of it one after the other.
template <typename T>
class RanksModel {
  public:
    RanksModel(const test::DeviceModel& model, TensorGroup& group)
        : group_(group), model_(model, dtype, group.size(), group.rank()), weights_(plan()) {}

    /// Ends the pass before.
    ForwardPass* pass(const DecoderOptions& options, Sums sums,
                      cuda::Patience patience = std::chrono::minutes(2)) {
        pass_.reset();
        by_host_.reset();
        gpu_.emplace(stream_, group_, patience);
        gpu_->copy_in(model_.arena.span().data(), model_.arena.bytes(), weights_.at(0));
        by_host_.emplace(*gpu_, group_);
        cuda::DeviceWork<T>* work = &*gpu_;
        if (sums == Sums::by_host) work = &*by_host_;
        pass_ = cuda::make_device_pass<T>(model_.architecture, model_.sharding, model_.arena,
                                          weights_.at(0), *work, group_, options,
                                          LayerRoute::plain(model_.architecture.layers));
        return pass_.get();
    }
    int exchanges_by_host() const { return by_host_->exchanges; }

    static constexpr DType dtype = std::is_same_v<T, float> ? DType::f32 : DType::bf16;

  private:
    cuda::MemoryPlan plan() const {
        cuda::MemoryPlan plan;
        plan.add("candidate", model_.arena.bytes());
        return plan;
    }

    TensorGroup& group_;
    test::DrawnModel model_;
    cuda::DeviceArena weights_;
    cuda::Stream stream_;
    std::optional<cuda::CudaWork<T>> gpu_;
    std::optional<SumsOnHost<T>> by_host_;
    std::unique_ptr<ForwardPass> pass_;
};

template <typename T>
class ForwardPassOfRanks : public test::RanksOnGpus {
  protected:
    void SetUp() override {
        test::RanksOnGpus::SetUp();
        if (!IsSkipped()) group_ = TensorGroup(world_);
    }

    static DecoderOptions options(Reductions reductions) {
        DecoderOptions options;
        options.reductions = reductions;
        options.dtype = RanksModel<T>::dtype;
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
    for (const test::DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        RanksModel<TypeParam> model(each, this->group_);
        const DecoderOptions options = this->options(Reductions::exact);
        const auto expected = this->logits_of(*model.pass(options, Sums::by_host));
        EXPECT_EQ(this->logits_of(*model.pass(options, Sums::by_nccl)), expected);
        for (const float logit : expected) ASSERT_TRUE(std::isfinite(logit));
        if (each.config.contains("num_local_experts")) continue;  // roundings may choose others
        const auto fast =
            this->logits_of(*model.pass(this->options(Reductions::fast), Sums::by_nccl));
        EXPECT_THAT(fast, ::testing::Pointwise(::testing::FloatNear(this->rounding), expected));
    }
}

/// Its graphs are gone before NCCL aborts, which would wait for them.
TYPED_TEST(ForwardPassOfRanks, ARecordedStepThatOthersDoNotMakeEndsInAnErrorAndNotInAHang) {
    RanksModel<TypeParam> model(test::device_models().front(), this->group_);
    ForwardPass* pass =
        model.pass(this->options(Reductions::exact), Sums::by_nccl, this->patience_);
    this->logits_of(*pass);
    if (this->world_.rank() == 0) this->wait_in_vain(*pass);
    this->world_.barrier();
}

/// While the GPUs exchange shares of one half, they work on the other.
TYPED_TEST(ForwardPassOfRanks, HasTheSameBitsInTwoHalves) {
    RanksModel<TypeParam> model(test::device_models().front(), this->group_);
    DecoderOptions options = this->options(Reductions::exact);
    options.max_batch = 10;
    options.max_tokens = 104;
    options.batch_tokens = options.max_batch * options.max_tokens;
    Ids ids, wanted;
    std::vector<Segment> segments;
    for (std::int64_t row = 0; row < options.max_batch; ++row) {
        segments.push_back({row, 0, options.max_tokens});
        for (std::int64_t at = 0; at < options.max_tokens; ++at)
            ids.push_back(static_cast<std::int32_t>((row + at * at * 7) % vocabulary));
        wanted.push_back(static_cast<std::int32_t>(ids.size()) - 1 - row % 3);
    }
    const auto logits_of = [&](ForwardPass& pass) {
        pass.run(ids, segments, wanted);
        std::vector<float> logits(wanted.size() * vocabulary);
        pass.logits(logits.data());
        return logits;
    };
    const auto expected = logits_of(*model.pass(options, Sums::by_host));
    EXPECT_GT(model.exchanges_by_host(), 0);
    EXPECT_EQ(logits_of(*model.pass(options, Sums::by_nccl)), expected);
    options.reductions = Reductions::fast;
    EXPECT_THAT(logits_of(*model.pass(options, Sums::by_nccl)),
                ::testing::Pointwise(::testing::FloatNear(this->rounding), expected));
}

}  // namespace
}  // namespace galapagos
