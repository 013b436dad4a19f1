#include "merge/cuda/resident_sources.hpp"

#include <map>
#include <utility>

#include "merge/cuda/merge_memory.hpp"
#include "merge/source_layout.hpp"

namespace galapagos::cuda {

namespace {

/// A rank's part of a source's tensor.
struct Part {
    TensorView whole;
    TensorSlice slice;
    std::size_t offset, bytes;
    bool first;  ///< no other source has put it there
};

/// Where the parts of sources lie.
class Places {
  public:
    Places(const std::vector<std::shared_ptr<const Source>>& sources, const OwnTensors& own,
           const Sharding& sharding)
        : sources_(sources), own_(own), sharding_(sharding) {}

    /// Calls visit(Part) if it holds something.
    template <typename Visit>
    void add(std::size_t number, const std::string& name, const Visit& visit) {
        const TensorView whole = sources_[number]->tensor(name);
        if (!is_mergeable(whole.dtype)) return;
        TensorSlice slice = sharding_.slice(name, whole.shape);
        const auto elements =
            static_cast<std::size_t>(element_count(sliced_shape(slice, whole.shape)));
        const std::size_t bytes = elements * size_of(whole.dtype);
        if (bytes == 0) return;
        const auto [place, first] =
            places_.try_emplace(stored_key(sources_, own_, number, name), end_);
        if (first) end_ += aligned(bytes);
        visit(Part{whole, std::move(slice), place->second, bytes, first});
    }
    std::size_t end() const { return end_; }

  private:
    const std::vector<std::shared_ptr<const Source>>& sources_;
    const OwnTensors& own_;
    const Sharding& sharding_;
    std::map<StoredKey, std::size_t> places_;
    std::size_t end_ = 0;
};

/// Visits the parts of all sources, layer by layer; returns how much room they take.
template <typename Visit>
std::size_t for_each_part(const std::vector<std::shared_ptr<const Source>>& sources,
                          const OwnTensors& own, const Sharding& sharding, const Visit& visit) {
    Places places(sources, own, sharding);
    for (std::size_t number = 0; number < sources.size(); ++number)
        for (const std::string& name : lay_out(*sources[number]).tensor_names())
            places.add(number, name, visit);
    return places.end();
}

}  // namespace

OwnTensors own_tensors(const std::vector<std::shared_ptr<const Source>>& sources) {
    OwnTensors own(sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i)
        for (const std::string& name : sources[i]->tensor_names())
            if (sources[i]->tensor(name).data != sources[i]->folder().tensor(name).data)
                own[i].insert(name);
    return own;
}

// The folder, or else the source's number; the name.
StoredKey stored_key(const std::vector<std::shared_ptr<const Source>>& sources,
                     const OwnTensors& own, std::size_t source, const std::string& name) {
    if (own[source].contains(name)) return {"", source, name};
    return {sources[source]->folder().folder().string(), 0, name};
}

std::size_t resident_bytes(const std::vector<std::shared_ptr<const Source>>& sources,
                           const OwnTensors& own, const Sharding& sharding) {
    return for_each_part(sources, own, sharding, [](const Part&) {});
}

void make_resident(const std::vector<std::shared_ptr<const Source>>& sources,
                   const Sharding& sharding, const CopyIn& copy_in, std::byte* memory,
                   ResidentTensors& table) {
    std::vector<std::byte> sliced;
    for_each_part(sources, own_tensors(sources), sharding, [&](const Part& part) {
        table.add(part.whole.data, part.bytes, memory + part.offset);
        if (!part.first) return;
        const std::byte* from = part.whole.data;
        if (!part.slice.whole()) {
            sliced.resize(part.bytes);
            copy_slice(
                part.whole, part.slice,
                {sliced.data(), part.whole.dtype, sliced_shape(part.slice, part.whole.shape)});
            from = sliced.data();
        }
        copy_in(from, part.bytes, memory + part.offset);
    });
}

}  // namespace galapagos::cuda
