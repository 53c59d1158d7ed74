"""`tfdpzoo gallery`: a static site of all registered models."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, print_json, say

_EXAMPLES = """\b
Example:
  tfdpzoo gallery --models saved_models --out gallery
"""


@click.command(epilog=_EXAMPLES)
@options.models
@options.site
@options.as_json
def gallery(models: Path, out: Path, as_json: bool) -> None:
    """Build a static site of all registered models.

    Every model is verified; what is not intact is listed with the reason. Open index.html in a
    browser: the site needs neither a server nor a network.
    """
    # What cannot be used is refused before TensorFlow is imported.
    from tfdpzoo.gallery.models import registered_versions
    from tfdpzoo.gallery.site import require_replaceable

    require_replaceable(out)
    total = sum(1 for _ in registered_versions(models))
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.cli.architecture_notes import notes_of
    from tfdpzoo.gallery.models import RegisteredVersion
    from tfdpzoo.gallery.site import build_gallery

    console = open_console(stderr=as_json)

    def tell(registered: RegisteredVersion) -> None:
        say(console, f"verifying {registered.name}:{registered.version}", style="dim")

    if total == 0:
        say(console, f"There are no models in {models}; the gallery will be empty.")
    found = build_gallery(models, out, notes_of=notes_of, progress=tell)
    unreadable = [model for model in found if model.card is None]
    if as_json:
        print_json(
            {
                "path": str(out / "index.html"),
                "models": [
                    {
                        "name": model.registered.name,
                        "version": model.registered.version,
                        "page": f"models/{model.registered.page}" if model.card else None,
                        "problem": model.problem or None,
                    }
                    for model in found
                ],
            }
        )
        return
    shown = len(found) - len(unreadable)
    models_are = "1 model is" if shown == 1 else f"{shown} models are"
    say(console, f"{models_are} in {out / 'index.html'}.", style="green")
    for model in unreadable:
        registered = model.registered
        say(console, f"Not shown: {registered.name}:{registered.version}. {model.problem}", "red")
