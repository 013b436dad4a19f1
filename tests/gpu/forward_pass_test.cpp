// The forward pass on a real GPU: every kernel against its twin bit for bit, products and whole
// passes against the CPU's.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "comm/cuda/errors.hpp"
#include "gpu/gpu_test.hpp"
#include "model/cuda/cuda_work.hpp"
#include "model/cuda/device_pass.hpp"
#include "model/device_models.hpp"
#include "model/host_work.hpp"

namespace galapagos {
namespace {

using test::DeviceModel;
using test::DrawnModel;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t vocabulary = 67;

/// Memory at one address for host and device.
class SharedMemory {
  public:
    explicit SharedMemory(std::size_t bytes) : bytes_(bytes) {
        void* memory = nullptr;
        cuda::check(cudaMallocManaged(&memory, bytes), "can't share memory with the GPU");
        memory_.reset(static_cast<std::byte*>(memory));
        std::memset(memory, 0xFF, bytes);
    }
    std::byte* data() const { return memory_.get(); }
    std::size_t bytes() const { return bytes_; }

  private:
    struct Free {
        void operator()(std::byte* memory) const { cudaFree(memory); }
    };
    std::size_t bytes_;
    std::unique_ptr<std::byte, Free> memory_;
};

/// Does everything twice on the same memory, on the GPU and by the twin, and compares what both
/// leave there. The pass goes on with what the host made.
template <typename T>
class MirroredWork final : public cuda::DeviceWork<T> {
  public:
    explicit MirroredWork(TensorGroup& group) : gpu_(stream_, group), host_(group) {}

    std::byte* reserve(std::size_t bytes) override {
        gpu_.reserve(0);  // for its products
        return memory_.emplace_back(bytes).data();
    }
    std::byte* reserve_exchanged(std::size_t bytes) override {
        return memory_.emplace_back(bytes).data();
    }
    void run(const cuda::ForwardJob<T>& job) override {
        compare("kernel " + std::to_string(job.index()), may_differ(job) ? rounding : 0,
                [&](cuda::DeviceWork<T>& work) { work.run(job); });
    }
    void multiply(const T* input, std::int64_t rows,
                  std::span<const Product<T>> products) override {
        compare("product", rounding,
                [&](cuda::DeviceWork<T>& work) { work.multiply(input, rows, products); });
    }
    void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                          float* output) override {
        compare("fp32 product", 3e-5, [&](cuda::DeviceWork<T>& work) {
            work.multiply_partial(layer, input, rows, output);
        });
    }
    void gather_shares(float*, std::int64_t) override { FAIL() << "there is one rank"; }
    void exchange_shares(const float*, float*, std::int64_t) override {
        FAIL() << "there is one rank";
    }
    void gather_rows(T*, std::int64_t) override { FAIL() << "there is one rank"; }
    void sum_shares(float*, std::int64_t) override { FAIL() << "there is one rank"; }
    void beside(int, const std::function<void()>&) override { FAIL() << "there is one rank"; }
    void await(int) override { FAIL() << "there is one rank"; }
    void replay(const cuda::StepShape&, const std::function<void()>& step) override { step(); }
    void forget_steps() override {}
    void copy_in(const void* from, std::size_t bytes, void* to) override {
        std::memcpy(to, from, bytes);
    }
    void copy_out(const void* from, std::size_t bytes, void* to) override {
        std::memcpy(to, from, bytes);
    }

  private:
    /// Of the largest element: what sums of some dozens of terms in another order may move.
    static constexpr double rounding = std::is_same_v<T, float> ? 3e-5 : 0x1p-7;

    /// Functions of the library, and sums of matrix units, whose order is their own.
    static bool may_differ(const cuda::ForwardJob<T>& job) {
        if (std::holds_alternative<cuda::AttendTiles>(job)) return true;
        const auto* activate = std::get_if<cuda::Activate<T>>(&job);
        return activate != nullptr && activate->activation == Activation::gelu;
    }

    template <typename Work>
    void compare(const std::string& what, double tolerance, Work&& work) {
        const auto before = contents();
        work(gpu_);
        stream_.synchronize();
        const auto found = contents();
        restore(before);
        work(host_);
        const auto expected = contents();
        if (tolerance == 0) {
            EXPECT_EQ(found, expected) << what;
        } else {
            expect_near(found, expected, before, tolerance, what);
        }
    }

    /// Of all memory.
    std::vector<std::byte> contents() const {
        std::vector<std::byte> all;
        for (const SharedMemory& memory : memory_)
            all.insert(all.end(), memory.data(), memory.data() + memory.bytes());
        return all;
    }
    void restore(const std::vector<std::byte>& contents) {
        std::size_t at = 0;
        for (SharedMemory& memory : memory_) {
            std::memcpy(memory.data(), &contents[at], memory.bytes());
            at += memory.bytes();
        }
    }

    /// Where either side wrote, as values of T or of float: whichever fits.
    void expect_near(const std::vector<std::byte>& found, const std::vector<std::byte>& expected,
                     const std::vector<std::byte>& before, double tolerance,
                     const std::string& what) {
        const bool wide = what == "fp32 product";
        const std::size_t size = wide ? sizeof(float) : sizeof(T);
        double largest = 1, difference = 0;
        for (std::size_t at = 0; at + size <= before.size(); at += size) {
            if (std::memcmp(&found[at], &before[at], size) == 0 &&
                std::memcmp(&expected[at], &before[at], size) == 0)
                continue;
            const double a = value_at(found, at, wide), b = value_at(expected, at, wide);
            largest = std::max(largest, std::abs(b));
            difference = std::isfinite(a) ? std::max(difference, std::abs(a - b)) : INFINITY;
        }
        EXPECT_LE(difference, tolerance * largest) << what;
    }

    static double value_at(const std::vector<std::byte>& bytes, std::size_t at, bool wide) {
        if (wide) {
            float value;
            std::memcpy(&value, &bytes[at], sizeof value);
            return value;
        }
        T value;
        std::memcpy(&value, &bytes[at], sizeof value);
        return cuda::widen(value);
    }

    cuda::Stream stream_;
    cuda::CudaWork<T> gpu_;
    test::HostWork<T> host_;
    std::vector<SharedMemory> memory_;
};

DecoderOptions options_of(DType dtype) {
    DecoderOptions options;
    options.dtype = dtype;
    options.max_batch = 3;
    options.max_tokens = 96;
    options.batch_tokens = 64;
    options.max_hops = 8;
    return options;
}

template <typename T>
class ForwardPassOnGpu : public test::GpuTest {
  protected:
    static constexpr DType dtype = std::is_same_v<T, float> ? DType::f32 : DType::bf16;

    /// Prompts, single tokens and overwritten continuations; logits of what is wanted last.
    std::vector<float> logits_of(ForwardPass& pass) {
        Ids ids(40);
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i] = static_cast<std::int32_t>(i * i * 7 % vocabulary);
        const auto first = [&](std::size_t count) {
            return Ids(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
        };
        pass.run(first(40), std::vector<Segment>{{0, 0, 11}, {2, 0, 29}}, Ids{10, 39});
        pass.run(first(2), std::vector<Segment>{{2, 29, 1}, {0, 11, 1}}, Ids{0, 1});
        std::vector<HeadAnswer> answers(2);
        pass.answer(std::vector<HeadQuery>{{0, -1}, {1, 7}}, answers);
        pass.run(first(9), std::vector<Segment>{{0, 12, 3}, {2, 30, 2}, {0, 12, 4}}, Ids{2, 4, 8});
        std::vector<float> logits(3 * vocabulary);
        pass.logits(logits.data());
        logits.push_back(static_cast<float>(answers[1].log_probability));
        return logits;
    }

    TensorGroup group_;
};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(ForwardPassOnGpu, ElementTypes);

TYPED_TEST(ForwardPassOnGpu, EveryKernelHasTheBitsOfItsTwin) {
    using T = TypeParam;
    for (const DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        DrawnModel model(each, this->dtype);
        SharedMemory weights(model.arena.bytes());
        std::memcpy(weights.data(), model.arena.span().data(), model.arena.bytes());
        MirroredWork<T> work(this->group_);
        const LayerRoute route{ScaleRule::branch, {{0, 0.9F}, {1, 1}, {1, 0.5F}, {2, 1.25F}}};
        const auto pass = cuda::make_device_pass<T>(model.architecture, model.sharding, model.arena,
                                                    weights.data(), work, this->group_,
                                                    options_of(this->dtype), route);
        this->logits_of(*pass);
        if (this->HasFailure()) return;
    }
}

TYPED_TEST(ForwardPassOnGpu, AgreesWithTheCpuOnEveryArchitecture) {
    using T = TypeParam;
    for (const DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        DrawnModel model(each, this->dtype);
        const auto options = options_of(this->dtype);
        const LayerRoute route = LayerRoute::plain(model.architecture.layers);
        const auto cpu = make_forward_pass(model.architecture, model.sharding, model.arena,
                                           this->group_, options, route);
        cuda::MemoryPlan plan;
        plan.add("candidate", model.arena.bytes());
        const cuda::DeviceArena weights(plan);
        const cuda::Stream stream;
        cuda::CudaWork<T> work(stream, this->group_);
        work.copy_in(model.arena.span().data(), model.arena.bytes(), weights.at(0));
        const auto gpu =
            cuda::make_device_pass<T>(model.architecture, model.sharding, model.arena,
                                      weights.at(0), work, this->group_, options, route);
        const auto expected = this->logits_of(*cpu), found = this->logits_of(*gpu);
        double largest = 0, difference = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            largest = std::max(largest, std::abs(double{expected[i]}));
            difference = std::max(difference, std::abs(double{expected[i]} - found[i]));
        }
        const double share = model.architecture.experts > 0 ? 0.25 : 0.06;
        const double allowed = this->dtype == DType::f32 ? 1e-4 : share * largest;
        EXPECT_LE(difference, allowed);
    }
}

/// Steps are queued call by call at first, then recorded, then replayed.
TYPED_TEST(ForwardPassOnGpu, ReplayedStepsHaveTheBitsOfTheFirstAndFollowTheWeights) {
    using T = TypeParam;
    for (const DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        DrawnModel model(each, this->dtype);
        cuda::MemoryPlan plan;
        plan.add("candidate", model.arena.bytes());
        const cuda::DeviceArena weights(plan);
        const cuda::Stream stream;
        const auto options = options_of(this->dtype);
        const LayerRoute route = LayerRoute::plain(model.architecture.layers);
        cuda::CudaWork<T> seasoned(stream, this->group_), fresh(stream, this->group_);
        const auto pass_over = [&](cuda::CudaWork<T>& work) {
            return cuda::make_device_pass<T>(model.architecture, model.sharding, model.arena,
                                             weights.at(0), work, this->group_, options, route);
        };
        const auto prompt = [](ForwardPass& pass) {
            pass.run(Ids{1, 2, 3, 5, 8, 13, 21, 34}, std::vector<Segment>{{0, 0, 3}, {2, 0, 5}},
                     Ids{});
        };
        const auto step = [](ForwardPass& pass) {
            pass.run(Ids{7, 9}, std::vector<Segment>{{2, 5, 1}, {0, 3, 1}}, Ids{0, 1});
            std::vector<float> logits(2 * vocabulary);
            pass.logits(logits.data());
            return logits;
        };
        seasoned.copy_in(model.arena.span().data(), model.arena.bytes(), weights.at(0));
        const auto pass = pass_over(seasoned);
        prompt(*pass);
        const std::vector<float> first = step(*pass);
        for (int times = 1; times < 8; ++times) EXPECT_EQ(step(*pass), first) << times;

        for (const TensorSpec& spec : model.arena.specs()) {
            auto* values = reinterpret_cast<T*>(model.arena.tensor(spec.name).data);
            values[0] = cuda::narrow<T>(cuda::widen(values[0]) + 0.5F);
        }
        seasoned.copy_in(model.arena.span().data(), model.arena.bytes(), weights.at(0));
        prompt(*pass);
        const std::vector<float> next = step(*pass);
        const auto other = pass_over(fresh);
        prompt(*other);
        EXPECT_EQ(next, step(*other));
        EXPECT_NE(next, first);
    }
}

}  // namespace
}  // namespace galapagos
