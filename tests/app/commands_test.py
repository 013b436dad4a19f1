"""docs/commands.md and --help name the same options."""

import re

import pytest
from conftest import SOURCE, run_alone

SECTIONS = {section.split()[0]: section for section in (SOURCE / "docs/commands.md").read_text().split("\n## ")[1:]}


def test_every_command_has_a_section():
    listed = run_alone("--help")[0].split("Subcommands:")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^  (\w+)", listed, re.MULTILINE)) == sorted(SECTIONS)


@pytest.mark.parametrize("command", SECTIONS)
def test_options_are_described(command):
    in_help = set(re.findall(r"^ +(?:-\w,)?(--[\w-]+)", run_alone(command, "--help")[0], re.MULTILINE)) - {"--help"}
    rows = "\n".join(line.split("|")[1] for line in SECTIONS[command].splitlines() if line.startswith("| `"))
    assert set(re.findall(r"--[\w-]+", rows)) == in_help
