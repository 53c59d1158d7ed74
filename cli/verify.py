"""`tfdpzoo verify`: does a model still say, and support, what it claimed?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tfdpzoo.cli import exits, options
from tfdpzoo.cli.console import facts, open_console, print_json, say

if TYPE_CHECKING:
    from tfdpzoo.verification import VerificationReport

_EXAMPLES = """\b
Examples:
  tfdpzoo verify saved_models/smoothnet-digits
  tfdpzoo verify smoothnet-digits@champion --strict
  tfdpzoo verify smoothnet-digits.zip --key trainer.pem.pub
  tfdpzoo verify http://localhost:8501/v1/models/smoothnet-digits
"""


@click.command(epilog=_EXAMPLES)
@options.target
@options.strict
@options.public_key
@options.served_model
@options.timeout
@options.as_json
@click.pass_context
def verify(
    context: click.Context,
    target: str,
    strict: bool,
    key: Path | None,
    model: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Check a model against the privacy guarantee that it carries.

    TARGET is a version's folder, or a model's folder, of which the newest version is taken; NAME,
    NAME:VERSION or NAME@ALIAS of a registered model; a zip of one of these folders; or the address
    of a model that TensorFlow Serving serves, of which only the record can be seen.

    Epsilon is computed again from the recorded updates, and every file, weight and number is
    compared. Exits with 1 and the reasons if anything was altered. What weakens the claim of an
    intact model is noted, and with --strict it is a reason as well.
    """
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow
    from tfdpzoo.verification import verify as verify_target

    signer = None
    if key is not None:
        from tfdpzoo.signature import read_public_key

        signer = read_public_key(key)
    report = verify_target(
        target, key=signer, model=model, timeout=timeout, before_loading=start_tensorflow
    )
    accepted = report.ok and not (strict and report.reservations)
    if as_json:
        print_json(_fields(report, accepted))
    else:
        _print(open_console(), report, accepted, demanded=key is not None)
    if not accepted:
        context.exit(exits.NOT_VERIFIED)


def _fields(report: VerificationReport, accepted: bool) -> dict[str, Any]:
    # What was altered is not to be quoted.
    guarantee = report.guarantee if report.ok else None
    return {
        "target": report.subject,
        "path": None if report.path is None else str(report.path),
        "ok": accepted,
        "intact": report.ok,
        "problems": report.problems,
        "reservations": report.reservations if guarantee else (),
        "files_checked": report.files_checked,
        "signed_by": report.signer if guarantee else None,
        "valid": guarantee.valid if guarantee else None,
        "epsilon": guarantee.epsilon if guarantee else None,
        "delta": guarantee.delta if guarantee else None,
        "recomputed_epsilon": report.recomputed_epsilon,
        "sentence": guarantee.sentence() if guarantee else None,
    }


def _print(console: Console, report: VerificationReport, accepted: bool, *, demanded: bool) -> None:
    guarantee = report.guarantee
    if not report.ok or guarantee is None:
        say(console, f"{report.subject} is NOT intact:", style="bold red")
        _list(console, report.problems)
        return
    what = "is intact" if report.files_checked else "answers with an intact record"
    if accepted:
        say(console, f"{report.subject} {what}.", style="green")
    else:
        say(console, f"{report.subject} {what}, but its claim is weak:", style="bold red")
        _list(console, report.reservations)
    rows = [
        ("recorded epsilon", f"{guarantee.epsilon:.4f} at delta {guarantee.delta:g}"),
        ("recomputed epsilon", f"{report.recomputed_epsilon:.4f}"),
    ]
    if report.signer is not None:
        whose = "the one that was given" if demanded else "which you have to know"
        rows.append(("signed by", f"the key with the fingerprint {report.signer}, {whose}"))
    console.print(facts(rows))
    say(console, guarantee.sentence(), style="bold" if guarantee.valid else "bold red")
    if accepted and report.reservations:
        say(console, "What weakens this claim (--strict fails on it):", style="yellow")
        _list(console, report.reservations)


def _list(console: Console, sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        say(console, f"- {sentence}")
