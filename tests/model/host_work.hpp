// A device pass without a device: kernels by their twin, products by the CPU's, shares of
// other ranks by the tensor-parallel group.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <typeinfo>
#include <vector>

#include "base/error.hpp"
#include "comm/tensor_group.hpp"
#include "model/buffer.hpp"
#include "model/cuda/beside_pass.hpp"
#include "model/cuda/device_work.hpp"
#include "model/device_twin.hpp"
#include "model/step_log.hpp"

namespace galapagos::test {

template <typename T>
void run_on_host(const cuda::AttendTokens<T>& job) {
    cuda::with_together(job, [](const auto& attend) { run_on_host(attend); });
}

inline void run_on_host(const cuda::AttendTiles& job) {
    cuda::with_width(job, [](const auto& attend) { run_on_host(attend); });
}

template <typename T>
class HostWork final : public cuda::DeviceWork<T> {
  public:
    /// Work beside other work may be done as soon as it is asked for, or as late as it is awaited.
    enum class Beside { soon, late };
    explicit HostWork(TensorGroup& group, Beside beside = Beside::soon)
        : group_(group), beside_(beside) {}

    std::byte* reserve(std::size_t bytes) override { return reserve(memory_, bytes); }
    std::byte* reserve_exchanged(std::size_t bytes) override {
        for (const std::size_t of_rank : group_.all_gather_values(bytes)) EXPECT_EQ(of_rank, bytes);
        constexpr std::size_t unit = cuda::exchanged_unit;
        return reserve(exchanged_, (bytes + unit - 1) / unit * unit);
    }
    void run(const cuda::ForwardJob<T>& job) override {
        std::visit(
            [this](const auto& kind) {
                note(typeid(kind).name(), kind);
                run_on_host(kind);
            },
            job);
    }
    void multiply(const T* input, std::int64_t rows,
                  std::span<const Product<T>> products) override {
        if (fails_after_ > 0 && --fails_after_ == 0) throw Error("a product failed");
        for (const Product<T>& product : products)
            note("product", input, rows, product.layer, product.output);
        galapagos::multiply<T>(input, rows, products);
    }
    void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                          float* output) override {
        note("fp32 product", input, rows, layer, output);
        linear_partial(layer, input, rows, output);
    }
    void gather_shares(float* shares, std::int64_t count) override {
        note("shares", shares, count);
        expect_exchanged(shares, group_.size() * count);
        ++gathers_;
        const auto one = static_cast<std::size_t>(count);
        const auto ranks = static_cast<std::size_t>(group_.size());
        const auto rank = static_cast<std::size_t>(group_.rank());
        group_.all_gather(std::as_bytes(std::span(shares + rank * one, one)),
                          std::as_writable_bytes(std::span(shares, ranks * one)));
    }
    void exchange_shares(const float* shares, float* received, std::int64_t count) override {
        note("exchange", shares, received, count);
        expect_exchanged(shares, group_.size() * count);
        expect_exchanged(received, group_.size() * count);
        ++exchanges_;
        const auto slice = static_cast<std::size_t>(count);
        const auto ranks = static_cast<std::size_t>(group_.size());
        std::vector<float> all(ranks * ranks * slice);
        group_.all_gather(std::as_bytes(std::span(shares, ranks * slice)),
                          std::as_writable_bytes(std::span(all)));
        for (std::size_t rank = 0; rank < ranks; ++rank)
            std::memcpy(received + rank * slice,
                        &all[(rank * ranks + static_cast<std::size_t>(group_.rank())) * slice],
                        slice * sizeof(float));
    }
    void gather_rows(T* rows, std::int64_t count) override {
        note("rows", rows, count);
        expect_exchanged(rows, group_.size() * count);
        const auto one = static_cast<std::size_t>(count);
        const auto ranks = static_cast<std::size_t>(group_.size());
        const std::vector<T> mine(rows + group_.rank() * count, rows + (group_.rank() + 1) * count);
        group_.all_gather(std::as_bytes(std::span(mine)),
                          std::as_writable_bytes(std::span(rows, ranks * one)));
    }
    void sum_shares(float* share, std::int64_t count) override {
        note("sum", share, count);
        expect_exchanged(share, count);
        ++sums_;
        group_.all_reduce_sum({share, static_cast<std::size_t>(count)});
    }
    void beside(int number, const std::function<void()>& queue) override {
        EXPECT_EQ(log_, nullptr) << "steps of single tokens are not cut in two";
        auto& waiting = waiting_[static_cast<std::size_t>(number)];
        EXPECT_FALSE(waiting) << "the last work of that number was not awaited";
        ++beside_others_;
        if (beside_ == Beside::late)
            waiting = queue;
        else
            queue();
    }
    void await(int number) override {
        auto& waiting = waiting_[static_cast<std::size_t>(number)];
        if (waiting) waiting();
        waiting = nullptr;
    }
    /// Takes every step, and compares what it asks for with the first of its shape.
    void replay(const cuda::StepShape& shape, const std::function<void()>& step) override {
        StepLog log;
        log_ = &log;
        step();
        log_ = nullptr;
        const auto [known, is_first] = steps_.try_emplace(shape, log);
        if (is_first) return;
        ++replays_;
        EXPECT_EQ(known->second.difference(log), "")
            << "a step of " << shape.rows << " rows and " << shape.stretches
            << " stretches is not the first of its shape";
    }
    void forget_steps() override { steps_.clear(); }
    void copy_in(const void* from, std::size_t bytes, void* to) override {
        EXPECT_EQ(log_, nullptr) << "a copy can't be recorded";
        std::memcpy(to, from, bytes);
    }
    void copy_out(const void* from, std::size_t bytes, void* to) override {
        EXPECT_EQ(log_, nullptr) << "a copy can't be recorded";
        std::memcpy(to, from, bytes);
        ++waits_;
    }

    /// The n-th product from now on.
    void fail_at_product(int number) { fails_after_ = number; }

    std::size_t reserved() const {
        return static_cast<std::size_t>(memory_.size() + exchanged_.size());
    }
    int waits() const { return waits_; }
    int gathers() const { return gathers_; }
    int exchanges() const { return exchanges_; }
    int sums() const { return sums_; }
    int beside_others() const { return beside_others_; }
    /// Steps that were like an earlier one, and shapes of those before.
    int replays() const { return replays_; }
    std::size_t shapes() const { return steps_.size(); }

  private:
    static std::byte* reserve(Buffer<std::byte>& memory, std::size_t bytes) {
        EXPECT_EQ(memory.size(), 0) << "a pass reserves once";
        memory = Buffer<std::byte>(static_cast<std::int64_t>(bytes));
        std::memset(memory.data(), 0xFF, bytes);  // NaN: what was never written shows
        return memory.data();
    }
    /// What ranks exchange is where they can reach each other's.
    template <typename Element>
    void expect_exchanged(const Element* first, std::int64_t count) {
        const auto* const at = reinterpret_cast<const std::byte*>(first);
        const auto bytes = count * static_cast<std::int64_t>(sizeof(Element));
        EXPECT_GE(at, exchanged_.data());
        EXPECT_LE(at + bytes, exchanged_.data() + exchanged_.size());
    }
    template <typename... Arguments>
    void note(const char* call, const Arguments&... arguments) {
        if (log_ != nullptr) log_->add(call, arguments...);
    }

    TensorGroup& group_;
    Beside beside_;
    Buffer<std::byte> memory_, exchanged_;
    std::array<std::function<void()>, 2> waiting_;
    int fails_after_ = 0;
    StepLog* log_ = nullptr;  ///< of the step that is being taken
    std::map<cuda::StepShape, StepLog> steps_;
    int waits_ = 0, replays_ = 0, gathers_ = 0, exchanges_ = 0, sums_ = 0, beside_others_ = 0;
};

}  // namespace galapagos::test
