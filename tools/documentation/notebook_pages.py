"""Makes a page of a notebook, with the outputs that lie in it; nothing is run."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Puts a page in the place of each notebook and leaves the notebook beside it."""
    for notebook in [each for each in files if each.src_uri.endswith(".ipynb")]:
        files.append(_page(notebook, files, config))
    return files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lets the navigation name a notebook and mean its page."""
    config.nav = _with_pages(config.nav)
    return config


def _with_pages(entry: object) -> object:
    if isinstance(entry, list):
        return [_with_pages(each) for each in entry]
    if isinstance(entry, dict):
        return {title: _with_pages(each) for title, each in entry.items()}
    return str(entry).replace(".ipynb", ".md")


def _page(notebook: File, files: Files, config: MkDocsConfig) -> File:
    content = nbformat.read(Path(str(notebook.abs_src_path)), as_version=4)
    name = Path(notebook.src_uri).stem
    parts = [f"[Download this notebook]({name}.ipynb)\n"]
    for number, cell in enumerate(content.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(_fenced(cell.source, "python"))
            parts += _outputs(cell, f"{name}-{number}", notebook, files, config)
    # The title comes first.
    parts[0], parts[1] = parts[1], parts[0]
    return File.generated(
        config, notebook.src_uri.replace(".ipynb", ".md"), content="\n\n".join(parts)
    )


def _outputs(
    cell: nbformat.NotebookNode, name: str, notebook: File, files: Files, config: MkDocsConfig
) -> Iterator[str]:
    for output in cell.outputs:
        if output.output_type == "stream":
            yield _fenced(output.text.rstrip(), "text")
            continue
        data = output.get("data", {})
        if "image/png" in data:
            picture = f"{Path(notebook.src_uri).parent.as_posix()}/{name}.png"
            pixels = base64.b64decode(data["image/png"])
            files.append(File.generated(config, picture, content=pixels))
            yield f"![{_words(data)}]({name}.png)"
        elif "text/plain" in data:
            yield _fenced(data["text/plain"], "text")


def _words(data: nbformat.NotebookNode) -> str:
    """What a reader hears who does not see the picture."""
    return "The picture that this cell draws" if "text/plain" in data else "A picture"


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text}\n````"
