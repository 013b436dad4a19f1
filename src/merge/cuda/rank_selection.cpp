#include "merge/cuda/rank_selection.hpp"

#include <algorithm>
#include <bit>

#include "merge/cuda/selection.hpp"
#include "merge/cuda/statistic_sizes.hpp"

namespace galapagos::cuda {

namespace {

constexpr int digit_bits = PlacedDigits::digit_bits;
constexpr std::size_t digits = PlacedDigits::digits;

/// Searches whose elements fit in memory together.
class Batch {
  public:
    Batch(std::span<PlaceSearch> searches, StatisticPass collection, PassLaunches& launches)
        : searches_(searches), collection_(collection), launches_(&launches) {
        for (PlaceSearch& search : searches_) {
            // The bits that all that may be found have in common are known.
            const PlacedKey lowest = placed_key(search.high, search.first);
            const int open = std::bit_width(lowest ^ placed_key(search.low, search.last));
            const int shift = std::max(0, (open - 1) / digit_bits * digit_bits);
            search.found = lowest >> shift >> digit_bits << digit_bits << shift;
            search.units = 0;
            open_.push_back({&search, shift, search.rank});
        }
    }

    bool is_done() const { return open_.empty(); }
    /// Those of all searches that are left.
    std::size_t numbers() const { return 2 * digits * open_.size(); }

    /// This rank's numbers for the next digit of each.
    void count(std::span<std::int64_t> numbers) {
        if (results_ == nullptr) collect();
        std::vector<StatisticJob> jobs;
        for (const Open& open : open_) {
            StatisticJob& job = jobs.emplace_back(StatisticJob{});
            job.items = 1;
            job.shift = open.shift;
            job.prefix = open.search->found;
            job.scale = open.search->scale;
            set_place(*open.search, job);
        }
        launches_->launch(StatisticPass::placed_digits, jobs);
        std::vector<std::int64_t> counted(digit_numbers * searches_.size());
        launches_->device().copy_out(results_, counted.size() * sizeof(std::int64_t),
                                     counted.data());
        for (const Open& open : open_) {
            const auto own = counted.begin() + digit_numbers * number_of(*open.search) + 1;
            std::copy_n(own, 2 * digits, numbers.begin());
            numbers = numbers.subspan(2 * digits);
        }
    }

    /// With all ranks' numbers.
    void go_on(std::span<const std::int64_t> numbers) {
        for (Open& open : open_) {
            const auto counts = numbers.first(digits), units = numbers.subspan(digits, digits);
            numbers = numbers.subspan(2 * digits);
            std::size_t digit = 0;
            for (; open.rank > counts[digit]; ++digit) {
                open.rank -= counts[digit];
                open.search->units += units[digit];
            }
            open.search->found |= PlacedKey{digit} << open.shift;
            if (open.shift == 0) open.search->units += units[digit];
            open.shift -= digit_bits;
        }
        std::erase_if(open_, [](const Open& open) { return open.shift < 0; });
    }

  private:
    struct Open {
        PlaceSearch* search;
        int shift;          ///< of its next digit
        std::int64_t rank;  ///< among those that begin like it
    };

    std::size_t number_of(const PlaceSearch& search) const {
        return static_cast<std::size_t>(&search - searches_.data());
    }
    void set_place(const PlaceSearch& search, StatisticJob& job) const {
        const std::size_t number = number_of(search);
        job.totals = totals_at(results_) + digit_numbers * number;
        job.placed = reinterpret_cast<PlacedKey*>(results_ + search_bytes(searches_.size(), 0)) +
                     places_[number];
    }

    void collect() {
        std::int64_t matches = 0;
        std::vector<StatisticJob> jobs;
        for (const PlaceSearch& search : searches_) {
            places_.push_back(matches);
            matches += search.matches;
            jobs.insert(jobs.end(), search.entries.begin(), search.entries.end());
        }
        results_ = launches_->start(std::max(searches_.size(), jobs.size()),
                                    search_bytes(searches_.size(), matches));
        auto job = jobs.begin();
        for (const PlaceSearch& search : searches_)
            for (std::size_t i = 0; i < search.entries.size(); ++i, ++job) {
                job->low = search.low;
                job->high = search.high;
                set_place(search, *job);
            }
        launches_->launch(collection_, jobs);
    }

    std::span<PlaceSearch> searches_;
    StatisticPass collection_;
    PassLaunches* launches_;
    std::vector<Open> open_;
    std::byte* results_ = nullptr;      ///< once this rank has collected
    std::vector<std::int64_t> places_;  ///< of what each search collects
};

}  // namespace

void keep_chunk(std::int64_t chunk, std::vector<StatisticJob>& entries) {
    for (StatisticJob& entry : entries) {
        const auto [begin, end] = whole_chunk_of(entry.tensors, chunk);
        entry.begin = begin;
        entry.items = delta_chunks(end - begin);
        entry.tensors.count = end;
        if (begin % pack_elements != 0) entry.tensors.side_by_side = false;
    }
    std::erase_if(entries, [](const StatisticJob& entry) { return entry.items == 0; });
}

void find_places(std::span<PlaceSearch> searches, StatisticPass collection, PassLaunches& launches,
                 Lockstep& lockstep) {
    // What is collected has to fit in memory: some searches at a time, on all ranks the same.
    for (std::size_t first = 0; first < searches.size();) {
        std::int64_t matches = searches[first].matches;
        std::size_t end = first + 1;
        while (end < searches.size() && matches + searches[end].matches <= most_collected)
            matches += searches[end++].matches;
        Batch batch(searches.subspan(first, end - first), collection, launches);
        while (!batch.is_done()) {
            std::vector<std::int64_t> numbers(batch.numbers());
            lockstep.add_up(numbers, [&] { batch.count(numbers); });
            batch.go_on(numbers);
        }
        first = end;
    }
}

}  // namespace galapagos::cuda
