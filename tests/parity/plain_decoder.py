"""The forward pass of every architecture in plain PyTorch, layer by layer: what layer paths are compared with."""

import math

import torch
from torch.nn import functional as F


class PlainDecoder:
    """One sequence at a time, without a cache, from a state dict; what it knows of an architecture stands in the names of its tensors
    and a few settings. It computes in double precision unless told otherwise: two programs in fp32 differ by more than each from the
    truth."""

    def __init__(self, model, dtype=torch.float64):
        self.config, self.kind = model.config, model.config.model_type
        self.weights = {name.removeprefix("model.").removeprefix("transformer.").removeprefix("gpt_neox."): tensor.to(dtype)
                        for name, tensor in model.state_dict().items()}
        self.gemma = self.kind.startswith("gemma")
        self.heads = self.config.num_attention_heads
        self.kv_heads = getattr(self.config, "num_key_value_heads", None) or self.heads
        self.head_dim = getattr(self.config, "head_dim", None) or self.config.hidden_size // self.heads

    def layer(self, number):
        prefix = {"gpt2": "h", "gpt_neox": "layers"}.get(self.kind, "layers") + f".{number}."
        return {name[len(prefix):]: tensor for name, tensor in self.weights.items() if name.startswith(prefix)}

    def norm(self, w, name, x):
        weight = w[name + ".weight"]
        if name + ".bias" in w:
            epsilon = getattr(self.config, "layer_norm_epsilon", getattr(self.config, "layer_norm_eps", None))
            return F.layer_norm(x, weight.shape, weight, w[name + ".bias"], epsilon)
        wide = x.double()
        wide = wide / torch.sqrt((wide * wide).mean(-1, keepdim=True) + self.config.rms_norm_eps)
        return wide.to(x.dtype) * (1 + weight if self.gemma else weight)

    def linear(self, w, name, x):
        weight = w[name + ".weight"]
        return x @ (weight if self.kind == "gpt2" else weight.T) + w.get(name + ".bias", 0)

    def embed(self, ids):
        if self.kind == "gpt2":
            return self.weights["wte.weight"][ids] + self.weights["wpe.weight"][: len(ids)]
        x = self.weights["embed_in.weight" if self.kind == "gpt_neox" else "embed_tokens.weight"][ids]
        return x * math.sqrt(self.config.hidden_size) if self.gemma else x

    def head(self, x):
        x = self.norm(self.weights, {"gpt2": "ln_f", "gpt_neox": "final_layer_norm"}.get(self.kind, "norm"), x)
        logits = x @ self.weights["embed_out.weight" if "embed_out.weight" in self.weights else "lm_head.weight"].T
        cap = getattr(self.config, "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits

    def window(self, number):
        if self.kind in ("mistral", "phi3"):
            return self.config.sliding_window
        types = getattr(self.config, "layer_types", None)
        return self.config.sliding_window if types and types[number] == "sliding_attention" else None

    def rotate(self, x, number):
        """x: [heads, tokens, head_dim]; the first part of each head turns, in pairs half a part apart."""
        if self.kind == "gpt2":
            return x
        rope = self.config.rope_parameters
        rope = rope.get(self.config.layer_types[number], rope) if self.kind == "gemma3_text" else rope
        size = int(self.head_dim * rope.get("partial_rotary_factor", 1.0))
        rates = rope["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size) / rope.get("factor", 1.0)
        angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float32), rates)
        pairs = len(rates)
        low, high, rest = x[..., :pairs], x[..., pairs: 2 * pairs], x[..., 2 * pairs:]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        return torch.cat([low * cos - high * sin, high * cos + low * sin, rest], -1)

    def heads_of(self, w, x):
        """Queries, keys and values, each [heads, tokens, head_dim]."""
        tokens, d = len(x), self.head_dim
        if self.kind == "gpt_neox":  # head by head: query, key, value
            parts = self.linear(w, "attention.query_key_value", x).view(tokens, self.heads, 3, d)
            return [parts[:, :, i].transpose(0, 1) for i in range(3)]
        if self.kind == "gpt2":
            return [part.view(tokens, self.heads, d).transpose(0, 1) for part in self.linear(w, "attn.c_attn", x).chunk(3, -1)]
        if self.kind == "phi3":  # query heads, then key heads, then value heads
            parts = self.linear(w, "self_attn.qkv_proj", x).view(tokens, -1, d).transpose(0, 1)
            return list(parts.split([self.heads, self.kv_heads, self.kv_heads]))
        q, k, v = (self.linear(w, f"self_attn.{n}_proj", x).view(tokens, -1, d).transpose(0, 1) for n in "qkv")
        if "self_attn.q_norm.weight" in w:
            q, k = self.norm(w, "self_attn.q_norm", q), self.norm(w, "self_attn.k_norm", k)
        return [q, k, v]

    def attention(self, w, x, number):
        tokens = len(x)
        q, k, v = self.heads_of(w, x)
        q, k = self.rotate(q, number), self.rotate(k, number)
        k, v = (part.repeat_interleave(self.heads // self.kv_heads, 0) for part in (k, v))
        scores = q @ k.transpose(1, 2) / math.sqrt(getattr(self.config, "query_pre_attn_scalar", self.head_dim))
        if getattr(self.config, "scale_attn_by_inverse_layer_idx", False):
            scores = scores / (number + 1)
        cap = getattr(self.config, "attn_logit_softcapping", None) if self.kind == "gemma2" else None
        scores = cap * torch.tanh(scores / cap) if cap else scores
        ages = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
        seen = (ages >= 0) & (ages < (self.window(number) or tokens))
        attended = scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
        name = {"gpt2": "attn.c_proj", "gpt_neox": "attention.dense"}.get(self.kind, "self_attn.o_proj")
        return self.linear(w, name, attended.transpose(0, 1).reshape(tokens, -1))

    def mlp(self, w, x):
        if self.kind == "mixtral":
            return self.experts(w, x)
        if self.kind == "gpt2":
            return self.linear(w, "mlp.c_proj", F.gelu(self.linear(w, "mlp.c_fc", x), approximate="tanh"))
        if self.kind == "gpt_neox":
            return self.linear(w, "mlp.dense_4h_to_h", F.gelu(self.linear(w, "mlp.dense_h_to_4h", x)))
        if self.kind == "phi3":
            gate, up = self.linear(w, "mlp.gate_up_proj", x).chunk(2, -1)
            return self.linear(w, "mlp.down_proj", F.silu(gate) * up)
        gate = self.linear(w, "mlp.gate_proj", x)
        gate = F.gelu(gate, approximate="tanh") if self.gemma else F.silu(gate)
        return self.linear(w, "mlp.down_proj", gate * self.linear(w, "mlp.up_proj", x))

    def experts(self, w, x):
        shares, chosen = (x @ w["mlp.gate.weight"].T).softmax(-1).topk(self.config.num_experts_per_tok)
        shares = shares / shares.sum(-1, keepdim=True)
        result = torch.zeros_like(x)
        for token in range(len(x)):
            for share, expert in zip(shares[token], chosen[token]):
                gate, up = (w["mlp.experts.gate_up_proj"][expert] @ x[token]).chunk(2)
                result[token] += share * (w["mlp.experts.down_proj"][expert] @ (F.silu(gate) * up))
        return result

    def run_layer(self, number, x):
        """The residual stream after the layer's first addition, and what the layer adds last."""
        w = self.layer(number)
        if self.kind == "gpt_neox" and self.config.use_parallel_residual:
            return x, (self.attention(w, self.norm(w, "input_layernorm", x), number)
                       + self.mlp(w, self.norm(w, "post_attention_layernorm", x)))
        first, second = ("ln_1", "ln_2") if self.kind == "gpt2" else ("input_layernorm", "post_attention_layernorm")
        added = self.attention(w, self.norm(w, first, x), number)
        if not self.gemma:
            x = x + added
            return x, self.mlp(w, self.norm(w, second, x))
        x = x + self.norm(w, "post_attention_layernorm", added)
        return x, self.norm(w, "post_feedforward_layernorm", self.mlp(w, self.norm(w, "pre_feedforward_layernorm", x)))
