"""`tfdpzoo schema`: the form of the privacy record, for other programs."""

from __future__ import annotations

import click

_EXAMPLES = """\b
Example:
  tfdpzoo schema > privacy-guarantee-v1.json
"""


@click.command(epilog=_EXAMPLES)
def schema() -> None:
    """Print the JSON Schema of assets.extra/privacy.json.

    It is what the repository publishes as schema/privacy-guarantee-v1.json (draft 2020-12). A
    document that fits it has the right form; `tfdpzoo verify` says whether it is true.
    """
    # The privacy records take a second to import.
    from tfdpzoo.privacy.published_schema import privacy_schema_text

    click.echo(privacy_schema_text(), nl=False)
