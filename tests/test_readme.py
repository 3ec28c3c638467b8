"""The README's commands exist with the options it names, and its Python runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = sorted(
    {line.split("#")[0].strip() for _, text in BLOCKS for line in text.splitlines() if line.startswith("mv3d ")}
    | set(re.findall(r"`(mv3d (?:demo|run|view|export|reconstruct|rig convert|models list)[^`]*)`", README))
)


def test_the_two_commands_come_first():
    _, first = BLOCKS[0]
    assert [line.split("#")[0].strip() for line in first.strip().splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_and_options_exist(command):
    words = shlex.split(command)[1:]
    deep = 2 if words[0] in {"rig", "models"} else 1
    shown = subprocess.run(
        [sys.executable, "-m", "mv3d.cli", *words[:deep], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in (word for word in words[deep:] if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", shown), f"{option} is not in the help of {words[:deep]}"


def test_python_runs(tmp_path, monkeypatch, capsys):
    from mv3d.config import Config, OutputConfig
    from mv3d.demonstration import run_synthetic

    config = Config(output=OutputConfig(formats=("csv",), scene=False))
    run_synthetic(tmp_path / "demo_session", config, frames=20)
    monkeypatch.chdir(tmp_path)
    (code,) = [text for language, text in BLOCKS if language == "python"]
    exec(compile(code, "README.md", "exec"), {})
    assert "[" in capsys.readouterr().out


def test_files_it_links_to_exist(repository):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (repository / link).exists()] == []
