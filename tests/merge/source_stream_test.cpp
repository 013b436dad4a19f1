// Which parts of sources lie together in the window that they are streamed through, and what is
// copied there.
#include "merge/cuda/source_stream.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/error.hpp"
#include "merge/device_job_cases.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::DeviceJobCase;

/// A window of so many bytes, with what was copied there.
struct Window {
    explicit Window(std::size_t bytes)
        : memory(test::twin_memory(bytes)),
          stream({}, memory.get(), bytes,
                 [this, copy = test::twin_stream_in()](std::size_t size, const FillPiece& fill,
                                                       std::byte* to) {
                     copied += size;
                     copy(size, fill, to);
                 }) {
        stream.start();
    }
    /// Where the part that was added last of a tensor will lie.
    std::size_t place(const StoredTensor& tensor) const {
        return static_cast<std::size_t>(stream.find(tensor.data) - memory.get());
    }
    std::vector<std::byte> bytes(std::size_t at, std::size_t count) const {
        return {memory.get() + at, memory.get() + at + count};
    }

    std::shared_ptr<std::byte[]> memory;
    SourceStream stream;
    std::size_t copied = 0;
};

CandidateJobs::Target target_of(const DeviceJobCase& drawn) {
    return {{}, drawn.slice, drawn.shape};
}

std::vector<StoredTensor> tensors_of(const TensorJob& job) {
    std::vector<StoredTensor> tensors;
    if (job.base.data != nullptr) tensors.push_back(job.base);
    for (const JobInput& input : job.inputs) tensors.push_back(input.tensor);
    return tensors;
}

/// A tensor's part, and where it was to lie.
struct Expected {
    std::size_t place = 0;
    std::vector<std::byte> bytes;
};

TEST(SourceStream, EveryBatchHasThePartsOfItsJobs) {
    constexpr std::size_t room = 3 << 20;
    Window window(room);
    std::vector<DeviceJobCase> cases;
    std::vector<std::vector<Expected>> batches(1);
    int ranges = 0;
    for (std::uint64_t index = 0; index < 1500; ++index) {
        const DeviceJobCase& drawn = cases.emplace_back(test::drawn_case(index));
        while (!window.stream.add(drawn.job, target_of(drawn))) {
            window.stream.next_batch();
            batches.emplace_back();
        }
        ranges += drawn.slice.ranges.size() > 1;
        for (const StoredTensor& tensor : tensors_of(drawn.job)) {
            batches.back().push_back({window.place(tensor), drawn.part_of(tensor)});
            EXPECT_EQ(batches.back().back().place % memory_alignment, 0u);
        }
    }
    EXPECT_GT(batches.size(), 8u);
    EXPECT_GT(ranges, 150);
    for (std::size_t batch = 0; batch < batches.size(); ++batch) {
        window.stream.copy(batch);
        std::size_t end = 0;  // parts lie one behind the other
        for (const Expected& part : batches[batch]) {
            ASSERT_GE(part.place, end);
            end = part.place + part.bytes.size();
            ASSERT_LE(end, room);
            ASSERT_EQ(window.bytes(part.place, part.bytes.size()), part.bytes) << batch;
        }
    }
}

/// Of two outputs, as an embedding and a head that is tied to it.
TEST(SourceStream, ATensorIsCopiedOnceABatchForEachSlice) {
    DeviceJobCase drawn;
    drawn.shape = {8, 64};
    drawn.job.count = 8 * 64;
    drawn.slice = {0, {{2, 5}}};
    test::Draw draw(1);
    drawn.job.base = test::drawn_tensor(draw, false, drawn);
    drawn.job.inputs.resize(2);
    drawn.job.inputs[0].tensor = test::drawn_tensor(draw, false, drawn);
    drawn.job.inputs[1].tensor = drawn.job.base;
    const std::vector<StoredTensor> tensors{drawn.job.base, drawn.job.inputs[0].tensor};
    const auto part = [&] {
        std::size_t bytes = 0;
        for (const StoredTensor& tensor : tensors) bytes += aligned(drawn.part_of(tensor).size());
        return bytes;
    };

    Window window(64 << 10);
    ASSERT_TRUE(window.stream.add(drawn.job, target_of(drawn)));
    const std::size_t place = window.place(drawn.job.base);
    ASSERT_TRUE(window.stream.add(drawn.job, target_of(drawn)));
    EXPECT_EQ(window.place(drawn.job.base), place);
    window.stream.copy(0);
    EXPECT_EQ(aligned(window.copied), part());

    const std::vector<std::byte> first = drawn.part_of(drawn.job.base);
    std::size_t both = part();
    drawn.slice = {1, {{0, 16}, {40, 48}}};
    both += part();
    ASSERT_TRUE(window.stream.add(drawn.job, target_of(drawn)));
    const std::size_t other = window.place(drawn.job.base);
    window.copied = 0;
    window.stream.copy(0);
    EXPECT_EQ(aligned(window.copied), both);
    const std::vector<std::byte> second = drawn.part_of(drawn.job.base);
    EXPECT_EQ(window.bytes(place, first.size()), first);
    EXPECT_EQ(window.bytes(other, second.size()), second);

    // The next batch, and the next candidate, know nothing of it.
    const std::size_t alone = part();
    window.stream.next_batch();
    ASSERT_TRUE(window.stream.add(drawn.job, target_of(drawn)));
    window.copied = 0;
    window.stream.copy(1);
    EXPECT_EQ(aligned(window.copied), alone);
    window.stream.start();
    ASSERT_TRUE(window.stream.add(drawn.job, target_of(drawn)));
    window.copied = 0;
    window.stream.copy(0);
    EXPECT_EQ(aligned(window.copied), alone);
}

TEST(SourceStream, AJobThatNoWindowHoldsIsAnError) {
    const DeviceJobCase drawn = test::drawn_case(3);
    std::size_t bytes = 0;
    for (const StoredTensor& tensor : tensors_of(drawn.job))
        bytes += aligned(drawn.part_of(tensor).size());
    Window enough(bytes);
    EXPECT_TRUE(enough.stream.add(drawn.job, target_of(drawn)));
    Window little(bytes - 1);
    try {
        little.stream.add(drawn.job, target_of(drawn));
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("and their window has"));
    }
}

}  // namespace
}  // namespace galapagos
