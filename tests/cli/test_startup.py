"""What is imported when, and what TensorFlow may say: in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_HEAVY = ("tensorflow", "keras", "sklearn", "matplotlib", "tensorflow_datasets")


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = _python(
        "import sys, tfdpzoo\n"
        f"heavy = {{*{_HEAVY!r}, 'numpy', 'dp_accounting'}} & {{*sys.modules}}\n"
        "assert not heavy, heavy\n"
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["list"],
        ["list", "--json"],
        ["plan", "smoothnet", "--recipe", "digits", "--noise-multiplier", "1", "--updates", "10"],
        ["plan", "smoothnet", "--recipe", "digits", "--epochs", "1"],
        ["train", "smothnet", "--epsilon", "1"],
        ["verify", "nowhere"],
        ["guarantee", "nowhere"],
        ["predict", "--url", "http://127.0.0.1:9", "--model", "small", "seven.png"],
        ["card", "--help"],
        ["card", "nowhere"],
        ["gallery", "--models", "nowhere"],
        ["export", "nowhere", "--format", "onnx"],
        ["evaluate", "nowhere", "--dataset", "digits"],
        ["register", "nowhere", "--name", "small"],
        ["models", "--help"],
        ["models", "list"],
        ["models", "show", "nowhere"],
        ["verify", "http://127.0.0.1:1", "--model", "a"],
        ["sign", "nowhere", "--key", "nowhere"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_tensorflow_is_imported_only_where_it_is_needed(arguments: list[str]) -> None:
    done = _python(
        "import sys\n"
        "from tfdpzoo.cli.main import main\n"
        f"main({arguments!r})\n"
        f"heavy = {{*{_HEAVY!r}}} & {{*sys.modules}}\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )

    assert "imported" not in done.stderr
    assert done.returncode == 0


def test_tensorflow_starts_without_a_word() -> None:
    done = _python(
        "from tfdpzoo.cli.main import main\n"
        "main(['show', 'smoothnet', '--recipe', 'digits', '--json'])\n"
    )

    assert done.stderr == ""
    assert '"parameters"' in done.stdout


def test_an_import_that_fails_is_not_silenced() -> None:
    done = _python(
        "import os, sys\n"
        "from tfdpzoo.cli.tensorflow_startup import stderr_aside\n"
        "with stderr_aside():\n"
        "    os.write(2, b'what went wrong')\n"
        "    raise ImportError('no such library')\n"
    )

    assert "what went wrong" in done.stderr
    assert "ImportError: no such library" in done.stderr


def test_output_into_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m tfdpzoo.cli.main list --json | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")
