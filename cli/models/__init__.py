"""`tfdpzoo models`: the command group that looks into the registry of trained models."""

from __future__ import annotations

import click

from tfdpzoo.cli.models.alias import alias_model
from tfdpzoo.cli.models.compare import compare_models
from tfdpzoo.cli.models.list import list_versions
from tfdpzoo.cli.models.remove import remove_model
from tfdpzoo.cli.models.show import show_version

_EXAMPLES = """\b
Examples:
  tfdpzoo models list --dataset cifar10 --max-epsilon 3 --sort accuracy --reverse
  tfdpzoo models show smoothnet-digits@champion
  tfdpzoo models compare smoothnet-digits:1 smoothnet-digits:2
  tfdpzoo models alias smoothnet-digits:2 champion
  tfdpzoo models remove smoothnet-digits:1
"""


@click.group(epilog=_EXAMPLES)
def models() -> None:
    """Look into the trained models, and name, compare or remove them.

    They lie in saved_models/NAME/VERSION. A version is meant by NAME (the newest), NAME:VERSION or
    NAME@ALIAS, or by its path. The architectures that can be trained are listed by `tfdpzoo list`.
    """


for command in (list_versions, show_version, compare_models, alias_model, remove_model):
    models.add_command(command)
