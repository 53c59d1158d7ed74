"""The command that starts TensorFlow Serving in a container."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path

from tfdpzoo.serving.configuration import MODELS_IN_SERVER

GRPC_PORT = 8500
REST_PORT = 8501

_IMAGE = "tensorflow/serving"
_CONFIGURATION_IN_SERVER = "/config/models.config"


def docker_command(models: Path, configuration: Path, *, labels: bool) -> str:
    r"""Returns a command for a shell, one that serves what a `models.config` says.

    Args:
        models: The registry's folder.
        configuration: The `models.config`, whose `base_path`s begin with `/models`.
        labels: Whether it has version labels, which a server that starts knows of no loaded
            version yet, and refuses unless it is told otherwise.

    Example:
        >>> print(docker_command(Path("/zoo/my models"), Path("/zoo/models.config"), labels=False))
        docker run --rm -p 8500:8500 -p 8501:8501 \
          --mount 'type=bind,source=/zoo/my models,target=/models,readonly' \
          --mount type=bind,source=/zoo/models.config,target=/config/models.config,readonly \
          tensorflow/serving --model_config_file=/config/models.config
    """
    server = f"--model_config_file={_CONFIGURATION_IN_SERVER}"
    lines = [
        f"docker run --rm -p {GRPC_PORT}:{GRPC_PORT} -p {REST_PORT}:{REST_PORT}",
        f"--mount {shlex.quote(_mount(models, MODELS_IN_SERVER))}",
        f"--mount {shlex.quote(_mount(configuration, _CONFIGURATION_IN_SERVER))}",
        f"{_IMAGE} {server}",
    ]
    if labels:
        lines.append("--allow_version_labels_for_unavailable_models=true")
    return " \\\n  ".join(lines)


def _mount(source: Path, target: str) -> str:
    """Docker reads the value as a line of CSV, so that a path may hold a comma."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source.absolute()}", f"target={target}", "readonly"]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
