"""The recipes in mergekit's examples folder and README: same structure, methods and parameters, with the tests' small models in place of the
models of 7 and 13 billion parameters. {name: (recipe, whether results are compared at fp32 precision)}."""

# What mergekit thins in float16 are deltas of rounded sources, and its arcee_fusion in bfloat16 is off (docs/merge-methods.md): these
# recipes are run in float32, or in both.
ARCEE_FUSION = """
models:
  - model: {dir}/base
  - model: {dir}/c
merge_method: arcee_fusion
base_model: {dir}/base
"""
BIO_MERGE = """
models:
  - model: {dir}/a
    parameters: {{density: 0.5, weight: 0.5}}
  - model: {dir}/b
    parameters: {{density: 0.5, weight: 0.5}}
merge_method: ties
base_model: {dir}/base
parameters: {{normalize: false, int8_mask: true}}
"""
SLERP_AS_SLICES = """
slices:
  - sources:
      - model: {dir}/a
        layer_range: [0, 4]
      - model: {dir}/b
        layer_range: [0, 4]
"""
SLERP_AS_MODELS = """
models:
  - model: {dir}/a
  - model: {dir}/b
"""
SLERP = """
merge_method: slerp
base_model: {dir}/a
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5
"""
LINEAR = """
models:
  - model: {dir}/a
    parameters: {{weight: 1.0}}
  - model: {dir}/b
    parameters: {{weight: 0.3}}
  - model: {dir}/c
    parameters: {{weight: 0.5}}
merge_method: linear
"""
LAYER_STACK = """
slices:
  - sources:
      - model: {dir}/a
        layer_range: [0, 3]
  - sources:
      - model: {dir}/b
        layer_range: [2, 4]
merge_method: passthrough
"""
TIES = """
models:
  - model: {dir}/a
    parameters:
      density: [1, 0.7, 0.1]
      weight: 1.0
  - model: {dir}/b
    parameters:
      density: 0.5
      weight: [0, 0.3, 0.7, 1]
  - model: {dir}/c
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: {dir}/base
parameters:
  normalize: true
  int8_mask: true
"""
FLOAT16, FLOAT32 = "dtype: float16\n", "dtype: float32\n"

EXAMPLES = {
    "example_arcee_fusion": (ARCEE_FUSION + FLOAT32, True),
    "example_bio-merge": (BIO_MERGE + FLOAT16, False),
    "example_bio-merge_float32": (BIO_MERGE + FLOAT32, True),
    "example_gradient-slerp": (SLERP_AS_SLICES + SLERP + FLOAT16, False),
    "example_gradient-slerp_models": (SLERP_AS_MODELS + SLERP + FLOAT16, False),
    "example_gradient-slerp_float32": (SLERP_AS_SLICES + SLERP + FLOAT32, True),
    "example_linear": (LINEAR + FLOAT16, False),
    "example_orcamini-platy-44layer": (LAYER_STACK + FLOAT16, True),
    "example_ties": (TIES + FLOAT16, False),
    "example_ties_float32": (TIES + FLOAT32, True),
}
