#include "weights/model_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/tiny_models.hpp"

namespace galapagos {
namespace {

TEST(ModelFolder, ReadsATinyModel) {
    const test::TemporaryFolder folder;
    const ModelFolder model(test::make_tiny_model(folder / "m"));
    EXPECT_EQ(model.tensor_names().size(), 21u);
    EXPECT_EQ(model.tensor("model.norm.weight").shape, Shape{32});
}

}  // namespace
}  // namespace galapagos
