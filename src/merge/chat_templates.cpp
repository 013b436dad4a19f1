#include "merge/chat_templates.hpp"

#include <array>

namespace galapagos {

namespace {

struct NamedTemplate {
    std::string_view name;
    std::string_view text;
};

/// Each writes the format that models of that family were trained on.
constexpr std::array templates{
    NamedTemplate{"alpaca", R"({%- for message in messages %}
    {%- if message.role == "system" %}
        {{- message.content | trim }}
    {%- elif message.role == "assistant" %}
        {{- "### Response:\n" ~ message.content | trim }}
    {%- elif message.role == "user_context" %}
        {{- "### Input:\n" ~ message.content | trim }}
    {%- else %}
        {{- "### Instruction:\n" ~ message.content | trim }}
    {%- endif %}
    {%- if not loop.last %}{{ "\n\n" }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ "\n\n### Response:\n" }}{% endif %}
)"},
    NamedTemplate{"chatml", R"({%- for message in messages %}
    {{- "<|im_start|>" ~ message.role ~ "\n" ~ message.content ~ "<|im_end|>\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif %}
)"},
    NamedTemplate{
        "exaone",
        R"({%- if messages[0].role != "system" %}{{ "[|system|][|endofturn|]\n" }}{% endif %}
{%- for message in messages %}
    {{- "[|" ~ message.role ~ "|]" ~ message.content ~ ("\n" if message.role == "user" else "[|endofturn|]\n") }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "[|assistant|]" }}{% endif %}
)"},
    NamedTemplate{"llama3", R"({{- bos_token }}
{%- for message in messages %}
    {{- "<|start_header_id|>" ~ message.role ~ "<|end_header_id|>\n\n" ~ message.content | trim ~ "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|start_header_id|>assistant<|end_header_id|>\n\n" }}{% endif %}
)"},
    NamedTemplate{"mistral", R"({{- bos_token }}
{%- set system = messages[0].content ~ "\n\n" if messages[0].role == "system" else "" %}
{%- for message in (messages[1:] if system else messages) %}
    {%- if message.role != ("user" if loop.index is odd else "assistant") %}
        {{- raise_exception("after a system message, if any, user and assistant take turns") }}
    {%- endif %}
    {%- if message.role == "user" %}
        {{- " [INST] " ~ (system if loop.first else "") ~ message.content ~ " [/INST]" }}
    {%- else %}
        {{- " " ~ message.content ~ eos_token }}
    {%- endif %}
{%- endfor %}
)"},
};

}  // namespace

std::optional<std::string_view> find_chat_template(std::string_view name) {
    for (const NamedTemplate& entry : templates)
        if (entry.name == name) return entry.text;
    return std::nullopt;
}

std::vector<std::string> chat_template_names() {
    std::vector<std::string> names;
    for (const NamedTemplate& entry : templates) names.emplace_back(entry.name);
    return names;
}

}  // namespace galapagos
