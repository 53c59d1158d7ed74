"""Takes into the site what lies elsewhere in the repository: changelog, schemas and model cards."""

from __future__ import annotations

import shutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files under the names by which the pages link to them."""
    root = Path(config.config_file_path).parent
    found = {"changelog.md": root / "CHANGELOG.md", "results.csv": root / "zoo" / "results.csv"}
    found |= {f"models/{card.parent.name}.md": card for card in root.glob("zoo/*/CARD.md")}
    found |= {f"schema/{schema.name}": schema for schema in root.glob("schema/*.json")}
    for name, path in sorted(found.items()):
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """Leaves out what only a search by a server would need."""
    shutil.rmtree(Path(config.site_dir) / "assets" / "javascripts" / "lunr", ignore_errors=True)
