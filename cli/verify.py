"""`tfdpzoo verify`: does a model still say, and support, what it claimed?"""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import exits, options
from tfdpzoo.cli.console import facts, open_console, print_json, say

_EXAMPLES = """\b
Example:
  tfdpzoo verify saved_models/smoothnet-digits
"""


@click.command(epilog=_EXAMPLES)
@options.saved_model
@options.as_json
@click.pass_context
def verify(context: click.Context, path: Path, as_json: bool) -> None:
    """Check a model against the privacy guarantee that it carries.

    PATH is a version's folder, or a model's folder, of which the newest version is taken. Epsilon
    is computed again from the recorded updates, and every file, weight and number is compared.
    Exits with 1 and the reasons if anything was altered.
    """
    # A path that is no model is refused before TensorFlow is imported.
    from tfdpzoo.version_folder import find_version

    find_version(path)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.verification import VerificationReport
    from tfdpzoo.verification import verify as verify_saved_model

    report: VerificationReport = verify_saved_model(path)
    # What was altered is not to be quoted.
    guarantee = report.guarantee if report.ok else None
    if as_json:
        print_json(
            {
                "path": str(report.path),
                "ok": report.ok,
                "problems": report.problems,
                "valid": guarantee.valid if guarantee else None,
                "epsilon": guarantee.epsilon if guarantee else None,
                "delta": guarantee.delta if guarantee else None,
                "recomputed_epsilon": report.recomputed_epsilon,
                "sentence": guarantee.sentence() if guarantee else None,
            }
        )
    elif guarantee is not None:
        console = open_console()
        say(console, f"{report.path} is intact.", style="green")
        console.print(
            facts(
                [
                    ("recorded epsilon", f"{guarantee.epsilon:.4f} at delta {guarantee.delta:g}"),
                    ("recomputed epsilon", f"{report.recomputed_epsilon:.4f}"),
                ]
            )
        )
        style = "bold" if guarantee.valid else "bold red"
        say(console, guarantee.sentence(), style=style)
    else:
        console = open_console()
        say(console, f"{report.path} is NOT intact:", style="bold red")
        for problem in report.problems:
            say(console, f"- {problem}")
    if not report.ok:
        context.exit(exits.NOT_VERIFIED)
