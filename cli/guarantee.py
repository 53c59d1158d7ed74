"""`tfdpzoo guarantee`: what does a model, here or at a server, guarantee?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdpzoo.cli import exits, options
from tfdpzoo.cli.console import busy, facts, open_console, print_json, say
from tfdpzoo.conversion.formats import ENDINGS
from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    from tfdpzoo.privacy.guarantee import PrivacyGuarantee
    from tfdpzoo.serving.client import Client
    from tfdpzoo.verification import VerificationReport

_EXAMPLES = """\b
Examples:
  tfdpzoo guarantee smoothnet-digits@champion
  tfdpzoo guarantee exported/smoothnet-digits-1.onnx
  tfdpzoo guarantee --url http://localhost:8501 --model smoothnet-digits
"""
_UNSEEN = (
    "the weights behind it cannot be seen from here, so whether the record is theirs was not "
    "checked. `tfdpzoo verify` checks it where the model's folder is."
)
_RECORDED = "This is what the record says; `tfdpzoo verify` checks whether the model supports it."


@click.command(epilog=_EXAMPLES)
@options.target_or_none
@options.url
@options.grpc_address
@options.served_model
@options.served_version
@options.served_label
@options.timeout
@options.models
@options.as_json
@click.pass_context
def guarantee(
    context: click.Context,
    target: str | None,
    url: str | None,
    grpc_address: str | None,
    model: str | None,
    version: int | None,
    label: str | None,
    timeout: float,
    models: Path,
    as_json: bool,
) -> None:
    """Say what a model guarantees, in words.

    TARGET is a model's or version's folder, NAME, NAME:VERSION or NAME@ALIAS of a registered one,
    or a file that `tfdpzoo export` wrote (.keras, .onnx, .tflite). With --url or --grpc the served
    model is asked for its own guarantee instead, which is checked as far as that is possible
    without its weights. Exits with 1 if no guarantee holds.
    """
    at_server = (url, grpc_address, model, version, label)
    if target is not None:
        if any(each is not None for each in at_server):
            raise InputError("Give TARGET, or a server with --url or --grpc and --model; not both.")
        holds = _recorded(target, models, as_json)
    elif url is None and grpc_address is None:
        raise InputError("Give TARGET, or a server with --url or --grpc and --model.")
    else:
        from tfdpzoo.cli.serving_client import client_of

        client = client_of(url, grpc_address, model, version, label, timeout)
        holds = _answered(client, as_json)
    if not holds:
        context.exit(exits.NOT_VERIFIED)


def _recorded(target: str, models: Path, as_json: bool) -> bool:
    path, found, remark = _read(target, models)
    if as_json:
        print_json({"path": str(path), "holds": found.valid, "record": found.to_fields()})
        return found.valid
    _print(found, remark)
    return found.valid


def _read(target: str, models: Path) -> tuple[Path, PrivacyGuarantee, str]:
    """Where a record lies, the record, and what is to be said of it."""
    path = Path(target)
    if path.is_file() and path.suffix in ENDINGS.values():
        from tfdpzoo.conversion.reading import read_carried_record

        carried = read_carried_record(path)
        return path, carried.guarantee, carried.note
    from tfdpzoo.registry.location import locate
    from tfdpzoo.version_folder import read_privacy_file

    folder = locate(target, models)
    return folder, read_privacy_file(folder).guarantee, _RECORDED


def _answered(client: Client, as_json: bool) -> bool:
    text = client.guarantee()
    from tfdpzoo.verification.served import verify_answer

    with busy(open_console(stderr=True), "computing epsilon again"):
        report = verify_answer(client.place, text)
    # What is wrong is not to be quoted.
    record = report.guarantee if report.ok else None
    holds = record is not None and record.valid
    if as_json:
        print_json(_fields(report, record, holds))
    elif record is None:
        console = open_console()
        say(console, f"{client.place} gives a guarantee that does NOT verify:", style="bold red")
        for problem in report.problems:
            say(console, f"- {problem}")
    else:
        _print(record, f"{client.place} says this: {_UNSEEN}", report.recomputed_epsilon)
    return holds


def _fields(
    report: VerificationReport, record: PrivacyGuarantee | None, holds: bool
) -> dict[str, Any]:
    return {
        "asked": report.subject,
        "ok": report.ok,
        "holds": holds,
        "problems": report.problems,
        "reservations": () if record is None else report.reservations,
        "recomputed_epsilon": report.recomputed_epsilon,
        "weights_checked": report.files_checked,
        "record": None if record is None else record.to_fields(),
    }


def _print(record: PrivacyGuarantee, remark: str, recomputed: float | None = None) -> None:
    from tfdpzoo.cli.guarantee_facts import guarantee_rows

    console = open_console()
    say(console, record.sentence(), style="bold" if record.valid else "bold red")
    rows = guarantee_rows(record)
    if recomputed is not None:
        rows.insert(1, ("recomputed", f"{recomputed:.4f} from the record's own updates"))
    console.print(facts(rows))
    say(console, remark)
