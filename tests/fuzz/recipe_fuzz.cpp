#include "fuzz/fuzz_input.hpp"
#include "merge/recipe.hpp"

using namespace galapagos;

/// A recipe: whatever is accepted must come back unchanged when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::may_refuse([&] {
        const Recipe recipe =
            parse_recipe_text(std::string(fuzz::text_of(data, size)), "recipe.yaml");
        referenced_models(recipe);
        donor_model(recipe);
        if (!(parse_recipe_text(to_yaml(recipe), "written") == recipe)) std::abort();
    });
    return 0;
}
