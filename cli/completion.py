"""`tfdpzoo completion`: what a shell needs to complete commands, options and names."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class, shell_complete

PROGRAM = "tfdpzoo"
VARIABLE = "_TFDPZOO_COMPLETE"
"""The scripts set it and call the program, which then answers what can follow."""

_INSTALLING = {
    "bash": 'Put this into ~/.bashrc: eval "$(tfdpzoo completion bash)"',
    "zsh": 'Put this into ~/.zshrc, after compinit: eval "$(tfdpzoo completion zsh)"',
    "fish": "Once: tfdpzoo completion fish > ~/.config/fish/completions/tfdpzoo.fish",
}

_EXAMPLES = """\b
Examples:
  tfdpzoo completion bash
  tfdpzoo completion fish > ~/.config/fish/completions/tfdpzoo.fish
"""


@click.command(epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(tuple(_INSTALLING)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes what is typed.

    It completes commands, options, models, recipes, data sets and registered models. Its comment
    says how to install it.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"This version of Click knows no completion for {shell}.")
    script = kind(context.find_root().command, {}, PROGRAM, VARIABLE).source().strip()
    click.echo(f"{script}\n\n# {_INSTALLING[shell]}")


def answer(commands: click.Command) -> int | None:
    """Answers the shell if it is the one that asks, and returns the exit code; else None.

    Args:
        commands: The program's commands.
    """
    instruction = os.environ.get(VARIABLE)
    if not instruction:
        return None
    return shell_complete(commands, {}, PROGRAM, VARIABLE, instruction)
