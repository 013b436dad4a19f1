// A base and two sources of five layers, and what becomes of recipes over them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "merge/merge_fixtures.hpp"

namespace galapagos::test {

class PlanTest : public ::testing::Test {
  protected:
    PlanTest() {
        TinyModelOptions options;
        options.layers = 5;
        sources_ = tiny_sources(folder_, {"base", "a", "b"}, options);
    }

    MergePlan plan(const std::string& yaml) const { return plan_of(yaml, sources_); }
    static const TensorMerge& find(const MergePlan& plan, const std::string& name) {
        const auto found =
            std::find_if(plan.tensors.begin(), plan.tensors.end(),
                         [&](const TensorMerge& tensor) { return tensor.output_name == name; });
        if (found == plan.tensors.end()) throw std::runtime_error("no tensor " + name);
        return *found;
    }
    std::string error_of(const std::string& yaml) const {
        try {
            plan(yaml);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    }

    TemporaryFolder folder_;
    Sources sources_;
};

}  // namespace galapagos::test
