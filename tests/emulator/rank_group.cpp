#include "emulator/rank_group.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace galapagos::emulator {

RankGroup::RankGroup(const std::string& name, int size, int rank)
    : name_(name), size_(size), rank_(rank) {
    if (size > most_ranks) throw std::runtime_error("the emulated NCCL has no more than 8 ranks");
    // Whoever comes first makes it, all zeros.
    const int file = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
    void* at = MAP_FAILED;
    if (file >= 0 && ftruncate(file, sizeof(Region)) == 0)
        at = mmap(nullptr, sizeof(Region), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (at == MAP_FAILED) throw std::runtime_error("the emulated NCCL gets no shared memory");
    region_ = static_cast<Region*>(at);
    ++region_->here;
}

RankGroup::~RankGroup() {
    shm_unlink(name_.c_str());
    munmap(region_, sizeof(Region));
}

bool RankGroup::complete() const {
    if (region_->here < size_) return false;
    shm_unlink(name_.c_str());  // nobody needs the name any more
    return true;
}

RankGroup::Slot& RankGroup::slot(Channel channel, int rank) const {
    return region_->slots[static_cast<int>(channel)][rank];
}

bool RankGroup::all_have(std::atomic<std::uint64_t> Slot::*counter, Channel channel,
                         std::uint64_t number) const {
    for (int rank = 0; rank < size_; ++rank)
        if (slot(channel, rank).*counter < number) return false;
    return true;
}

bool RankGroup::Exchange::try_once(std::span<const std::byte> mine, std::byte* all) {
    if (number_ == 0) number_ = ++group_->begun_[static_cast<int>(channel_)];
    Slot& own = group_->slot(channel_, group_->rank_);
    if (!given_) {
        // Everybody must have taken what was there before.
        if (!group_->all_have(&Slot::taken, channel_, number_ - 1)) return false;
        std::memcpy(own.bytes, mine.data(), mine.size());
        own.given = number_;
        given_ = true;
    }
    if (!group_->all_have(&Slot::given, channel_, number_)) return false;
    for (int rank = 0; rank < group_->size_; ++rank)
        std::memcpy(all + static_cast<std::size_t>(rank) * mine.size(),
                    group_->slot(channel_, rank).bytes, mine.size());
    own.taken = number_;
    number_ = 0;
    given_ = false;
    return true;
}

}  // namespace galapagos::emulator
