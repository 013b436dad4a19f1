"""config/render_chat.py against transformers' apply_chat_template, on templates in the style of each architecture's models,
and the check that a run's prompts come from its base model's template.

The templates are our own; what they write (which markers, where white space goes) is what the models were trained on.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

SOURCE = Path(__file__).resolve().parents[2]
TOOL = SOURCE / "config/render_chat.py"


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


render_chat = load("render_chat", TOOL)
tiny_evolution = load("tiny_evolution", SOURCE / "tests/app/conftest.py")

LLAMA = """\
{{- bos_token }}
{%- if messages[0]["role"] == "system" %}
    {%- set system = messages[0]["content"] | trim %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = "" %}
    {%- set turns = messages %}
{%- endif %}
{%- macro head(role) %}{{ "<|start_header_id|>" ~ role ~ "<|end_header_id|>\\n\\n" }}{%- endmacro %}
{{- head("system") }}
{%- if tools is not none %}{{ "Environment: ipython\\n" }}{% endif %}
{{- "Today Date: " ~ (date_string | default("26 Jul 2024")) ~ "\\n\\n" ~ system ~ "<|eot_id|>" }}
{%- for turn in turns %}
    {{- head(turn.role) ~ turn.content | trim ~ "<|eot_id|>" }}
{%- endfor %}
{%- if tools %}{% for tool in tools %}{{ tool | tojson(indent=4) }}{% endfor %}{% endif %}
{%- if add_generation_prompt %}{{ head("assistant") }}{% endif %}
"""
MISTRAL = """\
{%- set system = namespace(text="") %}
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == "system" %}
        {%- set system.text = message.content ~ "\\n\\n" %}
        {%- continue %}
    {%- endif %}
    {%- if message.role == "user" %}
        {{- " [INST] " ~ (system.text if loop.last else "") ~ message.content ~ " [/INST]" }}
    {%- elif message.role == "assistant" %}
        {{- " " ~ message.content ~ eos_token }}
    {%- else %}
        {{- raise_exception("no role " ~ message.role) }}
    {%- endif %}
{%- endfor %}
"""
QWEN2 = """\
{% for message in messages %}
{% if loop.first and message["role"] != "system" %}{{ "<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n" }}{% endif %}
{{- "<|im_start|>" + message["role"] + "\\n" + message["content"] + "<|im_end|>" + "\\n" -}}
{% endfor %}
{% if add_generation_prompt %}{{ "<|im_start|>assistant\\n" }}{% endif %}
"""
QWEN3 = """\
{%- if tools %}
    {{- "<|im_start|>system\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}{{ "\\n" }}{{ tool | tojson }}{% endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- set last = namespace(question=-1) %}
{%- for message in messages[::-1] %}
    {%- if last.question < 0 and message.role == "user" %}{% set last.question = (messages | length) - 1 - loop.index0 %}{% endif %}
{%- endfor %}
{%- for message in messages %}
    {{- "<|im_start|>" + message.role + "\\n" }}
    {%- if message.role == "assistant" and loop.index0 > last.question and message.reasoning_content is string %}
        {{- "<think>\\n" + message.reasoning_content.strip("\\n") + "\\n</think>\\n\\n" }}
    {%- endif %}
    {%- if message.role == "assistant" and "</think>" in message.content %}
        {{- message.content.split("</think>")[-1].lstrip("\\n") }}
    {%- else %}
        {{- message.content }}
    {%- endif %}
    {{- "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|im_start|>assistant\\n" }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{ "<think>\\n\\n</think>\\n\\n" }}{% endif %}
{%- endif %}
"""
GEMMA = """\
{{ bos_token }}{% if messages[0]["role"] == "system" %}{{ raise_exception("no system role") }}{% endif %}
{% for message in messages %}
{% if (message["role"] == "user") != (loop.index0 % 2 == 0) %}{{ raise_exception("roles must alternate") }}{% endif %}
{{ "<start_of_turn>" + ("model" if message["role"] == "assistant" else message["role"]) + "\\n" + message["content"] | trim + "<end_of_turn>\\n" }}
{%- endfor %}
{% if add_generation_prompt %}{{ "<start_of_turn>model\\n" }}{% endif %}
"""
GEMMA3 = """\
{{- bos_token }}
{%- set prefix = (messages[0].content | trim ~ "\\n\\n") if messages[0].role == "system" else "" %}
{%- for message in (messages[1:] if prefix else messages) %}
    {{- "<start_of_turn>" ~ {"assistant": "model"}.get(message.role, message.role) ~ "\\n" ~ (prefix if loop.first else "") }}
    {%- if message.content is string %}
        {{- message.content | trim }}
    {%- elif message.content is iterable %}
        {%- for part in message.content if part.type == "text" %}{{ part.text | trim }}{% endfor %}
    {%- endif %}
    {{- "<end_of_turn>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<start_of_turn>model\\n" }}{% endif %}
"""
PHI3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
GPT2 = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
NEOX = """\
{% set names = dict(user="<|prompter|>", assistant="<|assistant|>", system="<|system|>") %}
{% for message in messages %}
{%- generation %}{{ names[message.role] }}{{ message.content }}{% endgeneration %}{{ eos_token }}
{%- endfor %}
{%- if add_generation_prompt %}{{ names.assistant }}{% endif %}"""
MIXTRAL = """\
{{ bos_token }}
{%- for message in messages %}
{%- if message.role == "system" %}{{ raise_exception("no system role") }}
{%- elif message.role == "user" %}{{ "[INST] " + message.content + " [/INST]" }}
{%- else %}{{ message.content + eos_token }}{% if not loop.last %}{{ " " }}{% endif %}
{%- endif %}
{%- endfor %}"""
TEMPLATES = {"llama": LLAMA, "mistral": MISTRAL, "qwen2": QWEN2, "qwen3": QWEN3, "gemma2": GEMMA, "gemma3": GEMMA3, "phi3": PHI3,
             "gpt2": GPT2, "gpt_neox": NEOX, "mixtral": MIXTRAL}

USER = {"role": "user", "content": "  What is 2 < 3 & \"so\"?\n  "}
ANSWER = {"role": "assistant", "content": "Yes: 数 👍🏽 <b>\n", "reasoning_content": "\nwell ...\n", "name": None}
CONVERSATIONS = {
    "question": [USER],
    "system": [{"role": "system", "content": " Be {{ brief }}.\r\n"}, USER],
    "turns": [USER, ANSWER, {"role": "user", "content": "And {% if 4 %}?"}],
    "answered": [USER, ANSWER],
    "empty": [{"role": "user", "content": ""}],
}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "<sum> of é", "parameters": {"type": "object"}}}]


def save_tokenizer(folder, template):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])), bos_token="<s>",
                                        eos_token="</s>", unk_token="<unk>", pad_token="</s>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def outcome(render):
    try:
        return render()
    except jinja2.TemplateError as error:
        return type(error), str(error)


@pytest.mark.parametrize("architecture", TEMPLATES)
def test_same_text_as_transformers(architecture, tmp_path):
    tokenizer = save_tokenizer(tmp_path, TEMPLATES[architecture])
    rendered = set()
    for messages in CONVERSATIONS.values():
        for options in ({}, {"generation_prompt": False}, {"tools": TOOLS}, {"variables": {"enable_thinking": False}}):
            tools, prompt = options.get("tools"), options.get("generation_prompt", True)
            variables = options.get("variables", {})
            expected = outcome(lambda: tokenizer.apply_chat_template(messages, tools=tools, tokenize=False,
                                                                     add_generation_prompt=prompt, **variables))
            renderer = render_chat.Renderer(tmp_path, generation_prompt=prompt, variables=variables)
            assert outcome(lambda: renderer.render(messages, tools)[0]) == expected
            rendered.add(expected)
    assert len(rendered) >= len(CONVERSATIONS)


def tool(*arguments, status=0):
    done = subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    """A tiny model that has a template, and a task whose prompts were rendered with it."""
    folder = tiny_evolution.make_tiny(tmp_path_factory.mktemp("chat"))
    (folder / "base/chat_template.jinja").write_text(QWEN2)
    item = {"id": "a", "messages": [{"role": "user", "content": "one"}], "continuation": "two"}
    (folder / "items.jsonl").write_text(json.dumps(item) + "\n")
    tool(folder / "base", folder / "items.jsonl", folder / "rendered.jsonl")
    (folder / "chat.yaml").write_text(
        "galapagos_task: 1\nname: chat\nkind: loglikelihood\nitems: {train: rendered.jsonl}\nprompt: \"{prompt}\"\n"
        "loglikelihood: {continuation: \"{continuation}\"}\n")
    return folder


def test_prompts_of_the_models_own_template_are_taken(chat_model):
    item = json.loads((chat_model / "rendered.jsonl").read_text())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(chat_model / "base")
    assert item["prompt"] == tokenizer.apply_chat_template(item["messages"], tokenize=False, add_generation_prompt=True)
    tiny_evolution.run_alone("evaluate", chat_model / "base", chat_model / "chat.yaml", "--split", "train")


@pytest.mark.parametrize("changed", ["template", "missing"])
def test_prompts_of_another_template_are_refused(chat_model, tmp_path, changed):
    model = shutil.copytree(chat_model / "base", tmp_path / "model")
    if changed == "template":
        (model / "chat_template.jinja").write_text(QWEN2.replace("helpful", "harmless"))
    else:
        (model / "chat_template.jinja").unlink()
    _, error = tiny_evolution.run_alone("evaluate", model, chat_model / "chat.yaml", "--split", "train", status=2)
    assert "rendered.jsonl:1" in error and "another chat template" in error and "render_chat.py" in error


def test_a_model_without_a_template_is_refused_by_the_tool(chat_model, tmp_path):
    error = tool(chat_model / "a", chat_model / "items.jsonl", tmp_path / "out.jsonl", status=1)
    assert "has no chat template" in error and not (tmp_path / "out.jsonl").exists()
