"""What the shell is offered, through Click's own classes and as a shell asks."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from tfdpzoo.cli.completion import VARIABLE
from tfdpzoo.cli.main import commands
from tfdpzoo.data import NAMES
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.zoo import catalog

Program = Callable[..., Any]


def offered(*typed: str) -> list[str]:
    """What can stand for the last word; files as the word `file`."""
    *before, last = typed
    items = ShellComplete(commands, {}, "tfdpzoo", VARIABLE).get_completions(before, last)
    return [item.value if item.type == "plain" else item.type for item in items]


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for version in ("smooth/2", "smooth/10", "small/1", "smith"):
        Path("saved_models", version).mkdir(parents=True)
    set_alias(Path("saved_models/smooth"), "champion", 2)


def test_commands_and_options() -> None:
    assert "train" in offered("tr")
    assert offered("train", "--eps") == ["--epsilon"]
    assert offered("train", "--engine", "") == ["fast", "tf-privacy"]


@pytest.mark.parametrize("command", ["train", "show", "plan"])
def test_models(command: str) -> None:
    assert offered(command, "") == catalog.names()
    assert offered(command, "wrn") == ["wrn16_4", "wrn40_4"]


def test_recipes_are_those_of_the_model() -> None:
    assert offered("train", "smoothnet", "--recipe", "") == [*catalog.entry("smoothnet").recipes]
    assert offered("plan", "--epsilon", "1", "resnet9", "--recipe", "cif") == [
        "cifar10-eps8",
        "cifar10-cpu",
    ]
    assert "imagenette" in offered("train", "--recipe", "")
    assert offered("train", "smoothnet", "--recipe", "./mine") == ["file"]


def test_data_sets() -> None:
    assert sorted(offered("train", "smoothnet", "--dataset", "")) == sorted(NAMES)
    assert offered("evaluate", "model", "--dataset", "~/photos") == ["file"]


@pytest.mark.usefixtures("registered")
def test_registered_models() -> None:
    assert offered("verify", "") == ["small", "smooth"]
    assert offered("verify", "smo") == ["smooth"]
    assert offered("verify", "smooth:") == ["smooth:2", "smooth:10"]
    assert offered("evaluate", "smooth@") == ["smooth@champion"]
    assert offered("verify", "saved_models/sm") == ["file"]
    assert offered("verify", "nothing:") == ["file"]


def test_without_a_registry_files_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert offered("verify", "") == ["file"]


@pytest.mark.usefixtures("registered")
def test_a_damaged_alias_is_no_error() -> None:
    Path("saved_models/smooth/.aliases/champion").write_text("two")

    assert offered("verify", "smooth@") == ["file"]


@pytest.mark.parametrize(
    ("shell", "last_line"),
    [
        ("bash", '# Put this into ~/.bashrc: eval "$(tfdpzoo completion bash)"'),
        ("zsh", '# Put this into ~/.zshrc, after compinit: eval "$(tfdpzoo completion zsh)"'),
        ("fish", "# Once: tfdpzoo completion fish > ~/.config/fish/completions/tfdpzoo.fish"),
    ],
)
def test_scripts(program: Program, shell: str, last_line: str) -> None:
    outcome = program("completion", shell)

    assert outcome.code == 0
    assert f"{VARIABLE}={shell}_complete" in outcome.out
    assert outcome.out.splitlines()[-1] == last_line


def test_another_shell_is_refused(refused: Callable[..., str]) -> None:
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in refused("completion", "tcsh")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path: Path) -> None:
    (tmp_path / "tfdpzoo").symlink_to(Path(sys.executable).with_name("tfdpzoo"))
    script = (
        'eval "$(tfdpzoo completion bash)"\n'
        "COMP_WORDS=(tfdpzoo train smoothnet --recipe ci) COMP_CWORD=4\n"
        '_tfdpzoo_completion tfdpzoo; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "cifar10-cpu\n"


def test_an_answer_is_fast_and_needs_no_tensorflow() -> None:
    code = (
        "import sys; from tfdpzoo.cli.main import main; main();"
        "sys.exit(len({*sys.modules} & {'tensorflow', 'numpy'}))"
    )
    asked = {VARIABLE: "zsh_complete", "COMP_WORDS": "tfdpzoo train sm", "COMP_CWORD": "2"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["plain", "smoothnet"]
    # Time of the processor, since other tests may keep the cores busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
