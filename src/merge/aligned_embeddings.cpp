#include "merge/aligned_embeddings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "merge/token_rows.hpp"
#include "weights/architecture_layout.hpp"
#include "weights/dtype.hpp"
#include "weights/safetensors_writer.hpp"

namespace galapagos {

namespace fs = std::filesystem;
using Sources = std::vector<std::shared_ptr<const Source>>;

namespace {

/// One tensor of the output and the models that go into it.
struct Alignment {
    std::string name;
    std::vector<std::size_t> merged;
    std::vector<TensorView> stored;  ///< of each source; empty for those that aren't merged
    DType dtype = DType::f32;
    std::int64_t width = 0;
};

/// The merged models of the slice that gives the embedding (the first) or the head (the last).
struct Participants {
    std::vector<std::size_t> merged;
    std::optional<std::size_t> base;
};

Participants participants_of(const Recipe& recipe, const SourceIndex& index, bool last) {
    const auto number = [&](const std::string& model) {
        return static_cast<std::size_t>(index.at(model));
    };
    Participants result;
    const RecipeSlice* slice =
        recipe.models.empty() ? &(last ? recipe.slices.back() : recipe.slices.front()) : nullptr;
    for (const RecipeInput& input : slice != nullptr ? slice->sources : recipe.models)
        result.merged.push_back(number(input.model));
    const auto& base =
        slice != nullptr && slice->base_model ? slice->base_model : recipe.base_model;
    if (!base) return result;
    const auto listed = std::find(result.merged.begin(), result.merged.end(), number(*base));
    if (listed == result.merged.end() && slice != nullptr) return result;
    if (listed == result.merged.end()) result.merged.push_back(number(*base));
    result.base = number(*base);
    return result;
}

/// A model's head is its embedding if it is tied.
TensorView stored_tensor(const Source& source, const std::string& name) {
    const ArchitectureLayout& layout = *find_layout(source.config());
    return source.tensor(name == layout.head && !source.has(name) ? layout.embedding : name);
}

Alignment alignment_of(const std::string& name, const Participants& participants,
                       const Sources& sources) {
    Alignment alignment{name, participants.merged, std::vector<TensorView>(sources.size()),
                        DType::f32, 0};
    for (const std::size_t i : alignment.merged) {
        const TensorView view = stored_tensor(*sources[i], name);
        const Shape& first = alignment.stored[alignment.merged.front()].shape;
        if (view.shape.size() != 2 || (!first.empty() && view.shape[1] != first[1]) ||
            !is_mergeable(view.dtype))
            throw Error(fmt::format("tensor '{}' can't be merged", name),
                        fmt::format("in '{}' it is no matrix of as many columns as in '{}'",
                                    sources[i]->name(), sources[alignment.merged.front()]->name()));
        alignment.stored[i] = view;
    }
    const TensorView& first = alignment.stored[alignment.merged.front()];
    alignment.width = first.shape[1];
    const bool same =
        std::all_of(alignment.merged.begin(), alignment.merged.end(),
                    [&](std::size_t i) { return alignment.stored[i].dtype == first.dtype; });
    if (same) alignment.dtype = first.dtype;
    return alignment;
}

/// Makes the rows of one model.
class RowWriter {
  public:
    RowWriter(const Alignment& alignment, const TokenRows& rows, const MergedVocabulary& vocabulary)
        : alignment_(alignment),
          rows_(rows),
          vocabulary_(vocabulary),
          width_(static_cast<std::size_t>(alignment.width)),
          row_(width_),
          sum_(width_) {}

    std::vector<std::byte> write(std::size_t source) {
        const std::size_t row_bytes = width_ * size_of(alignment_.dtype);
        const auto rows = static_cast<std::size_t>(vocabulary_.rows);
        std::vector<std::byte> out(rows * row_bytes);
        std::vector<double> total(width_);
        std::vector<std::size_t> without_token;
        for (std::size_t token = 0; token < rows; ++token) {
            if (token >= vocabulary_.tokens.size() || vocabulary_.tokens[token].empty()) {
                without_token.push_back(token);
                continue;
            }
            make_mean(rows_.of(source, token));
            from_float(row_.data(), width_, out.data() + token * row_bytes, alignment_.dtype);
            for (std::size_t k = 0; k < width_; ++k) total[k] += static_cast<double>(row_[k]);
        }
        const auto count = static_cast<double>(rows - without_token.size());
        for (std::size_t k = 0; k < width_; ++k) row_[k] = static_cast<float>(total[k] / count);
        for (const std::size_t row : without_token)
            from_float(row_.data(), width_, out.data() + row * row_bytes, alignment_.dtype);
        return out;
    }

  private:
    void make_mean(const std::vector<TokenRow>& rows) {
        std::fill(row_.begin(), row_.end(), 0.0F);
        if (rows.size() == 1) return read(rows.front());
        std::fill(sum_.begin(), sum_.end(), 0.0);
        for (const TokenRow& row : rows) {
            read(row);
            for (std::size_t k = 0; k < width_; ++k) sum_[k] += static_cast<double>(row_[k]);
        }
        for (std::size_t k = 0; k < width_ && !rows.empty(); ++k)
            row_[k] = static_cast<float>(sum_[k] / static_cast<double>(rows.size()));
    }

    void read(const TokenRow& row) {
        const TensorView& tensor = alignment_.stored[row.source];
        if (row.row < 0 || row.row >= tensor.shape[0])
            throw UsageError("recipe refused",
                             fmt::format("there is no embedding of token number {}: tensor '{}' "
                                         "has {} rows",
                                         row.row, alignment_.name, tensor.shape[0]));
        const std::size_t offset = static_cast<std::size_t>(row.row) * width_;
        to_float(tensor.data + offset * size_of(tensor.dtype), tensor.dtype, row_.data(), width_);
    }

    const Alignment& alignment_;
    const TokenRows& rows_;
    const MergedVocabulary& vocabulary_;
    std::size_t width_;
    std::vector<float> row_;
    std::vector<double> sum_;
};

/// Aligned tensors of all sources, one file a source and tensor.
class Work {
  public:
    Work(const Recipe& recipe, const Sources& sources, const SourceIndex& index,
         const MergedVocabulary& vocabulary, const fs::path& folder)
        : recipe_(recipe),
          sources_(sources),
          index_(index),
          vocabulary_(vocabulary),
          folder_(folder),
          files_(sources.size()) {
        fs::create_directory(folder);
    }

    void align(const std::string& name, bool last) {
        const Participants participants = participants_of(recipe_, index_, last);
        Alignment alignment = alignment_of(name, participants, sources_);
        const TokenRows rows(*recipe_.tokenizer, vocabulary_, index_, participants.merged,
                             participants.base);
        const bool padded =
            vocabulary_.tokenizer.ids().size() != static_cast<std::size_t>(vocabulary_.rows);
        // Means aren't rounded to the stored type if the recipe computes in another one.
        if ((rows.has_means() || padded) && (recipe_.dtype || recipe_.out_dtype))
            alignment.dtype = DType::f32;
        RowWriter writer(alignment, rows, vocabulary_);
        for (const std::size_t source : alignment.merged)
            save(source, {name, alignment.dtype, {vocabulary_.rows, alignment.width}},
                 writer.write(source));
    }

    Sources aligned() const {
        Sources result;
        for (std::size_t i = 0; i < sources_.size(); ++i)
            result.push_back(files_[i].empty() ? sources_[i]
                                               : Source::with_tensors(*sources_[i], files_[i]));
        return result;
    }

  private:
    void save(std::size_t source, const TensorSpec& spec, const std::vector<std::byte>& data) {
        SafetensorsWriterOptions options;
        options.stem = fmt::format("aligned-{}-{}", source, files_[source].size());
        options.max_shard_bytes = UINT64_MAX;
        options.sync = false;
        SafetensorsWriter writer(folder_, {spec}, options);
        writer.write(spec.name, data);
        writer.finish();
        files_[source].push_back(writer.files().front());
    }

    const Recipe& recipe_;
    const Sources& sources_;
    const SourceIndex& index_;
    const MergedVocabulary& vocabulary_;
    fs::path folder_;
    std::vector<std::vector<fs::path>> files_;
};

}  // namespace

Sources align_embeddings(const Recipe& recipe, const Sources& sources, const SourceIndex& index,
                         const MergedVocabulary& vocabulary, const fs::path& work) {
    const ArchitectureLayout& layout = *find_layout(sources.front()->config());
    Work alignments(recipe, sources, index, vocabulary, work);
    alignments.align(layout.embedding, false);
    const Participants last = participants_of(recipe, index, true);
    if (std::any_of(last.merged.begin(), last.merged.end(),
                    [&](std::size_t i) { return sources[i]->has(layout.head); }))
        alignments.align(layout.head, true);
    return alignments.aligned();
}

}  // namespace galapagos
