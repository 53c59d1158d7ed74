"""`tfdpzoo sign`: whoever trained a model stands behind it."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, say
from tfdpzoo.errors import InputError

_EXAMPLES = """\b
Examples:
  tfdpzoo sign --new-key trainer.pem
  tfdpzoo sign saved_models/smoothnet-digits --key trainer.pem
  tfdpzoo verify saved_models/smoothnet-digits --key trainer.pem.pub
"""


@click.command(epilog=_EXAMPLES)
@options.target_or_none
@options.private_key
@options.new_key
def sign(target: str | None, key: Path | None, new_key: Path | None) -> None:
    """Sign a model's record, and with it the digests of all its files.

    TARGET is a version's folder, or a model's folder, of which the newest version is taken, or
    NAME, NAME:VERSION or NAME@ALIAS of a registered model. It is verified first. The signature lies
    in assets.extra/privacy.sig.json; give the public key, or its fingerprint, to those who are to
    check it with `tfdpzoo verify --key`.
    """
    console = open_console()
    if new_key is not None:
        _require_no_other(target, key)
        from tfdpzoo.signature import new_key as make_key
        from tfdpzoo.signature import public_key_path

        made = make_key(new_key)
        say(console, f"{new_key} is the private key; whoever has it can sign in your name.")
        say(console, f"{public_key_path(new_key)} is the public key, for those who verify.")
        say(console, f"Its fingerprint is {made}.")
        return
    if target is None or key is None:
        raise InputError(
            "Give the model to sign and --key PRIVATE.pem; `tfdpzoo sign --new-key FILE` makes one."
        )
    from tfdpzoo.registry.location import locate
    from tfdpzoo.signature import read_private_key

    private = read_private_key(key)
    if Path(target).is_file():
        raise InputError(
            f"{target} is a file; sign the folder of a version, and zip it afterwards."
        )
    folder = locate(target)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.signing import sign as sign_version

    signature = sign_version(folder, private)
    say(console, f"{folder} is signed.", style="green")
    say(console, f"The fingerprint of the key is {signature.fingerprint}.")


def _require_no_other(target: str | None, key: Path | None) -> None:
    if target is not None or key is not None:
        raise InputError("--new-key only makes a key; sign with --key in a second command.")
