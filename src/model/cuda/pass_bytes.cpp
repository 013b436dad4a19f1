#include "model/cuda/pass_bytes.hpp"

#include "model/cuda/beside_pass.hpp"

namespace galapagos::cuda {

namespace {

/// Notes what a pass reserves, and does nothing of what it asks for.
template <typename T>
class NoWork final : public DeviceWork<T> {
  public:
    std::byte* reserve(std::size_t bytes) override {
        bytes_ += bytes;
        // Any address: nothing is read or written there.
        return reinterpret_cast<std::byte*>(std::uintptr_t{256});
    }
    std::byte* reserve_exchanged(std::size_t bytes) override {
        return reserve((bytes + exchanged_unit - 1) / exchanged_unit * exchanged_unit);
    }
    void run(const ForwardJob<T>&) override {}
    void multiply(const T*, std::int64_t, std::span<const Product<T>>) override {}
    void multiply_partial(const Linear<T>&, const T*, std::int64_t, float*) override {}
    void gather_shares(float*, std::int64_t) override {}
    void exchange_shares(const float*, float*, std::int64_t) override {}
    void gather_rows(T*, std::int64_t) override {}
    void sum_shares(float*, std::int64_t) override {}
    void beside(int, const std::function<void()>&) override {}
    void await(int) override {}
    void replay(const StepShape&, const std::function<void()>&) override {}
    void forget_steps() override {}
    void copy_in(const void*, std::size_t, void*) override {}
    void copy_out(const void*, std::size_t, void*) override {}

    std::size_t bytes() const { return bytes_; }

  private:
    std::size_t bytes_ = 0;
};

}  // namespace

template <typename T>
std::size_t device_pass_bytes(const Architecture& architecture, const Sharding& sharding,
                              const Arena& weights, const DecoderOptions& options,
                              const LayerRoute& route) {
    NoWork<T> work;
    TensorGroup group;
    make_device_pass<T>(architecture, sharding, weights, weights.span().data(), work, group,
                        options, route);
    return work.bytes() + beside_pass_bytes(sharding.size());
}

template std::size_t device_pass_bytes<float>(const Architecture&, const Sharding&, const Arena&,
                                              const DecoderOptions&, const LayerRoute&);
template std::size_t device_pass_bytes<Bf16>(const Architecture&, const Sharding&, const Arena&,
                                             const DecoderOptions&, const LayerRoute&);

}  // namespace galapagos::cuda
