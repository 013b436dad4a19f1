#!/usr/bin/env python3
"""Writes the prompts of a task's items with a model's own chat template, once.

    config/render_chat.py MODEL ITEMS.jsonl OUT.jsonl

MODEL is a model folder. Each item needs the field `messages` (a list of {role, content}); it gets `prompt`, the
rendered text, and `chat_template_sha256`, by which galapagos knows that the prompt fits the base model. The
template runs as transformers' apply_chat_template runs it, and gives the same text. Needs jinja2, which setup.sh
puts into .deps/venv.
"""

import argparse
import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")
SPECIAL_TOKENS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)


class RenderError(Exception):
    pass


class GenerationTag(jinja2.ext.Extension):
    """{% generation %}, which marks what the model says when it is trained; the text stays as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_body")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """Unlike jinja2's own filter it doesn't escape HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def compile_template(text):
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[GenerationTag, jinja2.ext.loopcontrols],
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = (
        lambda pattern: datetime.datetime.now().strftime(pattern)
    )
    return environment.from_string(text)


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RenderError(f"{path}: not valid JSON ({error})") from None


def read_templates(folder):
    """The folder's templates by name. A file chat_template.jinja stands above tokenizer_config.json."""
    files = {"default": folder / "chat_template.jinja"}
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        files[path.stem] = path
    templates = {
        name: path.read_text(encoding="utf-8")
        for name, path in files.items()
        if path.is_file()
    }
    if templates:
        return templates
    value = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(value, str):
        return {"default": value}
    return {entry["name"]: entry["template"] for entry in value or []}


def choose_template(folder, name=None, with_tools=False):
    templates = read_templates(folder)
    if not templates:
        raise RenderError(
            f"{folder} has no chat template (neither chat_template.jinja nor chat_template in tokenizer_config.json); "
            "write the prompts out in the task's own `prompt`"
        )
    if name is None:
        name = "tool_use" if with_tools and "tool_use" in templates else "default"
    if name not in templates:
        raise RenderError(
            f"{folder} has no chat template '{name}'; it has: {', '.join(sorted(templates))}"
        )
    return templates[name]


def read_special_tokens(folder):
    config = read_json(folder / "special_tokens_map.json") | read_json(
        folder / "tokenizer_config.json"
    )
    tokens = {}
    for key in SPECIAL_TOKENS:
        value = config.get(key)
        value = value.get("content") if isinstance(value, dict) else value
        if isinstance(value, str):
            tokens[key] = value
    return tokens


def normalize_messages(messages):
    """Leaves keys without a value out, and gives a message's reasoning the names that templates read."""
    result = []
    for message in messages:
        if not isinstance(message, dict):
            raise RenderError(f"a message must be an object, not {message!r}")
        message = {key: value for key, value in message.items() if value is not None}
        reasoning = next((message[key] for key in REASONING_FIELDS if key in message), None)
        if reasoning is not None:
            message = {"thinking": reasoning, **message, "reasoning_content": reasoning}
        result.append(message)
    return result


class Renderer:
    """One model folder's templates, ready to render items."""

    def __init__(self, folder, name=None, generation_prompt=True, variables=None):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.generation_prompt = generation_prompt
        self.variables = read_special_tokens(self.folder) | (variables or {})
        self.compiled = {}

    def render(self, messages, tools=None):
        """The text and the SHA-256 of the template that made it."""
        text = choose_template(self.folder, self.name, tools is not None)
        if text not in self.compiled:
            self.compiled[text] = compile_template(text)
        rendered = self.compiled[text].render(
            messages=normalize_messages(messages),
            tools=tools,
            documents=None,
            add_generation_prompt=self.generation_prompt,
            **self.variables,
        )
        return rendered, hashlib.sha256(text.encode("utf-8")).hexdigest()


def render_line(line, renderer, arguments):
    item = json.loads(line)
    if not isinstance(item, dict) or not isinstance(item.get(arguments.messages), list):
        raise RenderError(f"an item needs a list under '{arguments.messages}'")
    prompt, digest = renderer.render(item[arguments.messages], item.get(arguments.tools))
    return item | {arguments.prompt: prompt, "chat_template_sha256": digest}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=pathlib.Path, help="model folder with the template")
    parser.add_argument("items", type=pathlib.Path, help="JSONL file to read")
    parser.add_argument("out", type=pathlib.Path, help="JSONL file to write; may be the same")
    parser.add_argument("--template", help="name of one of several templates (default: default)")
    parser.add_argument("--messages", default="messages", help="field with the messages")
    parser.add_argument("--tools", default="tools", help="field with the tools, if any")
    parser.add_argument("--prompt", default="prompt", help="field for the rendered text")
    parser.add_argument("--no-generation-prompt", action="store_true")
    parser.add_argument(
        "--set", metavar="KEY=JSON", action="append", default=[], help="a variable of the template"
    )
    arguments = parser.parse_args()
    place = str(arguments.items)
    try:
        variables = {
            key: json.loads(value) for key, _, value in (s.partition("=") for s in arguments.set)
        }
        renderer = Renderer(
            arguments.model, arguments.template, not arguments.no_generation_prompt, variables
        )
        lines = []
        for number, line in enumerate(arguments.items.read_text("utf-8").split("\n"), start=1):
            place = f"{arguments.items}:{number}"
            if line.strip():
                lines.append(
                    json.dumps(render_line(line, renderer, arguments), ensure_ascii=False) + "\n"
                )
        partial = arguments.out.with_name(arguments.out.name + ".partial")
        partial.write_text("".join(lines), encoding="utf-8")
        partial.replace(arguments.out)
    except (RenderError, OSError, ValueError, jinja2.TemplateError) as error:
        sys.exit(f"render_chat.py: {place}: {error}")


if __name__ == "__main__":
    main()
