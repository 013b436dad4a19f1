#include "base/yaml_limits.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <sstream>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

constexpr std::size_t max_depth = 64;
constexpr std::uint64_t max_nodes = 100'000;

/// Counts the nodes of a document as its parts are parsed; an alias counts as all it stands for.
class LimitedDocument : public YAML::EventHandler {
  public:
    explicit LimitedDocument(const std::string& origin) : origin_(origin) {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  const std::string&) override {
        leaf(mark, anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto known = sizes_.find(anchor);
        if (known == sizes_.end()) refuse(mark, "an alias that stands for what it lies in");
        count(mark, known->second);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        enter(mark, anchor);
    }
    void OnSequenceEnd() override { leave(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        enter(mark, anchor);
    }
    void OnMapEnd() override { leave(); }

  private:
    struct Open {
        YAML::anchor_t anchor;
        std::uint64_t nodes_before;
    };

    [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& why) const {
        throw UsageError(fmt::format("{}:{}: refused", origin_, mark.line + 1), why);
    }

    void count(const YAML::Mark& mark, std::uint64_t nodes) {
        nodes_ += nodes;
        if (nodes_ > max_nodes)
            refuse(mark, fmt::format("more than {} values, aliases followed", max_nodes));
    }

    void leaf(const YAML::Mark& mark, YAML::anchor_t anchor) {
        count(mark, 1);
        if (anchor != YAML::NullAnchor) sizes_[anchor] = 1;
    }

    void enter(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (open_.size() == max_depth)
            refuse(mark, fmt::format("nested deeper than {} levels", max_depth));
        open_.push_back({anchor, nodes_});
        count(mark, 1);
    }

    void leave() {
        const Open& closed = open_.back();
        if (closed.anchor != YAML::NullAnchor) sizes_[closed.anchor] = nodes_ - closed.nodes_before;
        open_.pop_back();
    }

    const std::string& origin_;
    std::uint64_t nodes_ = 0;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, std::uint64_t> sizes_;  // of anchored nodes that are complete
};

}  // namespace

void check_yaml_limits(const std::string& text, const std::string& origin) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    LimitedDocument first(origin);
    if (!parser.HandleNextDocument(first)) return;
    LimitedDocument second(origin);
    if (parser.HandleNextDocument(second))
        throw UsageError(fmt::format("{}: refused", origin), "it holds more than one YAML document",
                         "put each into a file of its own");
}

}  // namespace galapagos
