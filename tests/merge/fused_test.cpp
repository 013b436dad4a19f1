// The pass that keeps everything in registers against the loops over buffers. Sources of one type
// take the former, the same values in mixed types the latter: the bits must be equal.
#include "merge/fused.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace galapagos {
namespace {

constexpr std::int64_t count = 1000;

/// Values that bf16 holds exactly, stored in both types.
struct Tensor {
    explicit Tensor(unsigned seed) : wide(count), narrow(count) {
        std::mt19937 engine(seed);
        std::normal_distribution<float> normal;
        // Coarse steps, so that equal differences occur.
        for (float& value : wide) value = std::round(normal(engine) * 8) / 8;
        wide[17] = -0.0F;
        wide[400 + seed] = std::nanf("");
        wide[500 + seed] = INFINITY;
        from_float(wide.data(), count, narrow.data(), DType::bf16);
    }
    StoredTensor stored(DType dtype) const {
        const void* data = dtype == DType::bf16 ? static_cast<const void*>(narrow.data())
                                                : static_cast<const void*>(wide.data());
        return {static_cast<const std::byte*>(data), dtype};
    }
    std::vector<float> wide;
    std::vector<std::uint16_t> narrow;
};

class FusedTest : public ::testing::Test {
  protected:
    enum class Types { bf16, f32, mixed };

    /// The first `inputs` of `job` over the tensors, merged in blocks that begin anywhere.
    std::vector<float> merged(TensorJob job, Types types) {
        const DType most = types == Types::bf16 ? DType::bf16 : DType::f32;
        if (with_base_) job.base = base_.stored(most);
        for (std::size_t i = 0; i < job.inputs.size(); ++i)
            job.inputs[i].tensor =
                tensors_[i].stored(types == Types::mixed && i % 2 == 0 ? DType::bf16 : most);
        std::vector<float> out(count);
        BlockBuffers buffers;
        std::int64_t at = 0;
        for (const std::int64_t length : {1, 130, 64, 7, 333, 16, 449}) {
            merge_block(job, at, length, buffers, out.data() + at);
            at += length;
        }
        EXPECT_EQ(at, count);
        return out;
    }

    void expect_same_bits(const TensorJob& job) {
        const auto expected = merged(job, Types::mixed);
        for (const Types types : {Types::bf16, Types::f32}) {
            const auto actual = merged(job, types);
            for (std::size_t i = 0; i < count; ++i) {
                if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
                ASSERT_EQ(std::memcmp(&actual[i], &expected[i], sizeof(float)), 0)
                    << "element " << i << ": " << actual[i] << ", expected " << expected[i];
            }
        }
    }

    static TensorJob job_of(Method method, std::size_t inputs) {
        TensorJob job;
        job.method = method;
        job.count = count;
        job.factor = 0.7F;
        job.base_gain = 0.4F;
        job.seed = 5;
        job.name_hash = 77;
        for (std::size_t i = 0; i < inputs; ++i) {
            JobInput input;
            input.gain = 0.3F + 0.2F * static_cast<float>(i);
            input.vote = input.gain;
            input.position = static_cast<std::uint32_t>(i);
            job.inputs.push_back(input);
        }
        return job;
    }

    bool with_base_ = true;
    Tensor base_{0};
    Tensor tensors_[6] = {Tensor(1), Tensor(2), Tensor(3), Tensor(4), Tensor(5), Tensor(6)};
};

constexpr std::uint32_t key_of(float magnitude) {
    return __builtin_bit_cast(std::uint32_t, magnitude);
}

TEST_F(FusedTest, Sums) {
    expect_same_bits(job_of(Method::slerp, 1));
    for (const std::size_t inputs : {1U, 3U, 6U})
        expect_same_bits(job_of(Method::task_arithmetic, inputs));
    with_base_ = false;
    for (const std::size_t inputs : {2U, 6U}) expect_same_bits(job_of(Method::linear, inputs));
}

TEST_F(FusedTest, LargestAndBands) {
    for (const Method method : {Method::ties, Method::breadcrumbs, Method::breadcrumbs_ties})
        for (const bool normalize : {false, true})
            for (std::size_t inputs = 1; inputs <= 6; ++inputs) {
                TensorJob job = job_of(method, inputs);
                job.normalize = normalize;
                for (std::size_t i = 0; i < inputs; ++i) {
                    JobInput& input = job.inputs[i];
                    input.sparsity = i == 3   ? Sparsity::empty
                                     : i == 4 ? Sparsity::dense
                                              : Sparsity::magnitude;
                    input.threshold = key_of(0.5F);
                    input.last_tie = 150 + 20 * static_cast<std::int64_t>(i);
                    if (method == Method::ties) continue;
                    input.ceiling = key_of(1.5F);
                    input.last_dropped_tie = 600;
                }
                expect_same_bits(job);
            }
}

TEST_F(FusedTest, AtRandom) {
    for (const Method method : {Method::dare_linear, Method::dare_ties})
        for (const std::size_t inputs : {1U, 3U, 4U, 5U}) {
            TensorJob job = job_of(method, inputs);
            for (std::size_t i = 0; i < inputs; ++i) {
                job.inputs[i].sparsity = i == 1 ? Sparsity::dense : Sparsity::random;
                job.inputs[i].keep_below = 0x6000;
            }
            expect_same_bits(job);
        }
}

}  // namespace
}  // namespace galapagos
