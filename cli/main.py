"""The program `tfdpzoo`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

import click

from tfdpzoo.cli import exits
from tfdpzoo.cli.card import card
from tfdpzoo.cli.completion import answer, completion
from tfdpzoo.cli.doctor import doctor
from tfdpzoo.cli.evaluate import evaluate
from tfdpzoo.cli.export import export
from tfdpzoo.cli.gallery import gallery
from tfdpzoo.cli.guarantee import guarantee
from tfdpzoo.cli.list import list_models
from tfdpzoo.cli.models import models
from tfdpzoo.cli.plan import plan
from tfdpzoo.cli.predict import predict
from tfdpzoo.cli.register import register
from tfdpzoo.cli.schema import schema
from tfdpzoo.cli.sections import SectionedGroup
from tfdpzoo.cli.serve_config import serve_config
from tfdpzoo.cli.show import show
from tfdpzoo.cli.sign import sign
from tfdpzoo.cli.train import train
from tfdpzoo.cli.tune import tune
from tfdpzoo.cli.verify import verify
from tfdpzoo.errors import InputError

_EXAMPLES = """\b
Examples:
  tfdpzoo list
  tfdpzoo train smoothnet --dataset digits --epsilon 7
  tfdpzoo verify smoothnet-digits

"""


_SECTIONS = {
    "Training": (train, tune, plan, list_models, show),
    "The guarantee": (verify, guarantee, sign, schema),
    "Trained models": (models, register, evaluate, card, gallery),
    "Elsewhere": (export, serve_config, predict),
    "This machine": (doctor, completion),
}


@click.group(
    cls=SectionedGroup,
    sections=_SECTIONS,
    epilog=_EXAMPLES + exits.DOCUMENTATION,
    invoke_without_command=True,
)
@click.version_option(package_name="tfdpzoo", message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    help=f"Print the traceback of an unexpected error, as {exits.DEBUG_VARIABLE}=1 does.",
)
@click.pass_context
def commands(context: click.Context, debug: bool) -> None:
    """Train image classifiers with a differential privacy guarantee that they carry with them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(exits.BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code.

    Args:
        arguments: What was typed after the program's name; by default that of this process.
    """
    answered = answer(commands)
    if answered is not None:
        return answered
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = bool(os.environ.get(exits.DEBUG_VARIABLE))
    try:
        _require_posix(sys.platform)
        with commands.make_context("tfdpzoo", list(arguments)) as context:
            debug = debug or context.params["debug"]
            context.obj = shlex.join(["tfdpzoo", *arguments])
            commands.invoke(context)
    except (Exception, KeyboardInterrupt) as error:
        return exits.exit_code_of(error, debug=debug)
    return exits.OK


def _require_posix(platform: str) -> None:
    if platform == "win32":
        raise InputError(
            "tfdpzoo does not run on Windows itself; install WSL 2 (`wsl --install`) and use it in "
            "there."
        )


if __name__ == "__main__":
    sys.exit(main())
