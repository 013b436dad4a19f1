#include "model/scoring.hpp"

#include <algorithm>
#include <limits>

#include "model/leader.hpp"

namespace galapagos {

Scoring::Scoring(ForwardPass& forward, TensorGroup& group, const DecoderOptions& options,
                 const std::vector<ScoreRequest>& requests, const std::function<bool()>& keep_going)
    : forward_(forward),
      tensor_group_(group),
      options_(options),
      requests_(requests),
      keep_going_(keep_going),
      scores_(requests.size()) {}

std::vector<Score> Scoring::run() {
    const std::vector<Group> groups = find_groups();
    const auto rows = static_cast<size_t>(options_.max_batch);
    for (size_t first = 0; first < groups.size(); first += rows) {
        lay_out(groups, first, std::min(first + rows, groups.size()));
        if (run_block()) continue;
        for (size_t r = groups[first].first; r < requests_.size(); ++r)
            scores_[r] = {std::numeric_limits<double>::quiet_NaN(), false};
        break;
    }
    return std::move(scores_);
}

std::vector<Scoring::Group> Scoring::find_groups() const {
    std::vector<Group> groups;
    for (size_t r = 0; r < requests_.size(); ++r) {
        if (!groups.empty() && requests_[groups.back().first].context == requests_[r].context)
            groups.back().last = r + 1;
        else
            groups.push_back({r, r + 1});
    }
    return groups;
}

/// Lays out groups [first, last): all contexts, then every group's first continuation, then every
/// second one, so that neighbouring segments lie in different rows and can run side by side.
void Scoring::lay_out(const std::vector<Group>& groups, size_t first, size_t last) {
    tokens_.clear();
    segments_.clear();
    questions_.clear();
    size_t most = 0;
    for (size_t g = first; g < last; ++g) {
        add_context(groups[g], static_cast<int64_t>(g - first));
        most = std::max(most, groups[g].last - groups[g].first);
    }
    for (size_t choice = 0; choice < most; ++choice)
        for (size_t g = first; g < last; ++g)
            if (groups[g].first + choice < groups[g].last)
                add_continuation(groups[g].first + choice, static_cast<int64_t>(g - first));
}

/// The context's last position predicts the first id of every continuation.
void Scoring::add_context(const Group& group, int64_t cache_row) {
    const std::vector<int32_t>& context = requests_[group.first].context;
    tokens_.insert(tokens_.end(), context.begin(), context.end());
    segments_.push_back({cache_row, 0, static_cast<int64_t>(context.size())});
    for (size_t r = group.first; r < group.last; ++r)
        if (!requests_[r].continuation.empty())
            questions_.push_back(
                {static_cast<int64_t>(tokens_.size()) - 1, requests_[r].continuation.front(), r});
}

/// All ids but the last are run; each predicts the next one.
void Scoring::add_continuation(size_t request, int64_t cache_row) {
    const std::vector<int32_t>& ids = requests_[request].continuation;
    if (ids.size() < 2) return;
    segments_.push_back({cache_row, static_cast<int64_t>(requests_[request].context.size()),
                         static_cast<int64_t>(ids.size()) - 1});
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
        questions_.push_back({static_cast<int64_t>(tokens_.size()), ids[i + 1], request});
        tokens_.push_back(ids[i]);
    }
}

/// Runs the block in passes of whole segments; a segment is cut only if it exceeds a pass. Returns
/// false if the caller wants no more.
bool Scoring::run_block() {
    next_question_ = 0;
    pass_segments_.clear();
    int64_t first_token = 0;
    int64_t pass_tokens = 0;
    const auto flush = [&] {
        if (!ask_leader(tensor_group_, keep_going_)) return false;
        run_pass(first_token, first_token + pass_tokens);
        first_token += pass_tokens;
        pass_tokens = 0;
        pass_segments_.clear();
        return true;
    };
    for (Segment segment : segments_) {
        if (pass_tokens > 0 && pass_tokens + segment.count > options_.batch_tokens && !flush())
            return false;
        while (segment.count > options_.batch_tokens) {
            pass_segments_.push_back({segment.row, segment.position, options_.batch_tokens});
            pass_tokens = options_.batch_tokens;
            segment.position += options_.batch_tokens;
            segment.count -= options_.batch_tokens;
            if (!flush()) return false;
        }
        pass_segments_.push_back(segment);
        pass_tokens += segment.count;
    }
    return pass_tokens == 0 || flush();
}

void Scoring::run_pass(int64_t first_token, int64_t last_token) {
    wanted_.clear();
    queries_.clear();
    size_t end = next_question_;
    for (; end < questions_.size() && questions_[end].token < last_token; ++end) {
        const auto token = static_cast<int32_t>(questions_[end].token - first_token);
        if (wanted_.empty() || wanted_.back() != token) wanted_.push_back(token);
        queries_.push_back({static_cast<int64_t>(wanted_.size()) - 1, questions_[end].target});
    }
    const auto tokens = std::span<const int32_t>(tokens_).subspan(
        static_cast<size_t>(first_token), static_cast<size_t>(last_token - first_token));
    forward_.run(tokens, pass_segments_, wanted_);
    answers_.resize(queries_.size());
    forward_.answer(queries_, answers_);
    for (size_t i = 0; i < answers_.size(); ++i) {
        const Question& question = questions_[next_question_ + i];
        Score& score = scores_[question.request];
        score.log_likelihood += answers_[i].log_probability;
        score.greedy = score.greedy && answers_[i].argmax == question.target;
    }
    next_question_ = end;
}

}  // namespace galapagos
