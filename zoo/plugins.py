"""Models that other packages add to the zoo.

A package names them in its metadata, in the entry-point group `tfdpzoo.models`:

    [project.entry-points."tfdpzoo.models"]
    my_model = "my_package.my_model:ENTRY"

The name is the model's name, and `ENTRY` a `tfdpzoo.zoo.ZooEntry` whose folder has that name, as in
this zoo. A package is imported when its model is asked for or all models are listed. One that
cannot be used is told of in a sentence and stands in nobody else's way; a name that the zoo has
stays the zoo's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from tfdpzoo.errors import InputError
from tfdpzoo.zoo.zoo_entry import ZooEntry

GROUP = "tfdpzoo.models"


@dataclass(frozen=True)
class Plugin:
    """A model that an installed package offers.

    Attributes:
        name: The model's name, as the package's metadata has it.
        package: The name of the package.
        entry_point: What to load.
    """

    name: str
    package: str
    entry_point: metadata.EntryPoint

    def load(self) -> ZooEntry:
        """Imports the package's entry and checks it.

        Raises:
            InputError: It cannot be imported, or is no entry of a model of this name with recipes
                that can be read.
        """
        try:
            found = self.entry_point.load()
        # Whatever a stranger's package does when it is imported, the other models go on.
        except (Exception, SystemExit) as error:
            reason = (str(error).strip().splitlines() or [""])[0]
            raise InputError(
                f"{self._offer} cannot be imported: {type(error).__name__}: {reason}."
            ) from error
        if not isinstance(found, ZooEntry):
            raise InputError(
                f"{self._offer} cannot be used: {self.entry_point.value} is a "
                f"{type(found).__name__} and no tfdpzoo.zoo.ZooEntry."
            )
        if found.name != self.name:
            raise InputError(
                f"{self._offer} cannot be used: the folder of its entry is named {found.name!r}."
            )
        self._require_recipes(found)
        return found

    @property
    def _offer(self) -> str:
        return f"The model {self.name!r} of the package {self.package}"

    def _require_recipes(self, found: ZooEntry) -> None:
        files = [path.stem for path in found.folder.glob("recipes/*.toml")]
        for name in (found.default_recipe, found.cpu_recipe):
            if name is not None and name not in files:
                raise InputError(
                    f"{self._offer} cannot be used: it has no recipe {name!r} in "
                    f"{found.folder / 'recipes'}."
                )
        for path in found.recipes.values():
            try:
                found.read_recipe(path)
            except InputError as error:
                raise InputError(f"{self._offer} cannot be used: {error}") from error


def plugins() -> list[Plugin]:
    """Returns the models that installed packages offer, by name; imports none of them."""
    found = [
        Plugin(each.name, each.dist.name if each.dist else "?", each)
        for each in metadata.entry_points(group=GROUP)
    ]
    return sorted(found, key=lambda each: (each.name, each.package))


def plugin(name: str) -> Plugin | None:
    """Returns the plug-in of a name; None where there is none.

    Raises:
        InputError: Two packages offer a model of this name.
    """
    found = [each for each in plugins() if each.name == name]
    if len(found) > 1:
        raise InputError(_conflict(name, (each.package for each in found)))
    return found[0] if found else None


def load_plugins(taken: Iterable[str]) -> tuple[list[ZooEntry], list[str]]:
    """Imports all plug-ins.

    Args:
        taken: The names of the zoo's own models.

    Returns:
        The entries that can be used, and a sentence for each that cannot.
    """
    taken = set(taken)
    entries, notes = [], []
    for name in dict.fromkeys(each.name for each in plugins()):
        note = note_on(name, taken)
        if note is not None:
            notes.append(note)
            continue
        try:
            found = plugin(name)
            if found is not None:
                entries.append(found.load())
        except InputError as error:
            notes.append(str(error))
    return entries, notes


def note_on(name: str, taken: Iterable[str]) -> str | None:
    """Returns a sentence if a package offers a model under a name that the zoo itself has.

    Args:
        name: The name.
        taken: The names of the zoo's own models.
    """
    packages = [each.package for each in plugins() if each.name == name]
    if name not in taken or not packages:
        return None
    return (
        f"The model {name!r} of the package {' and '.join(packages)} cannot be used: the zoo has a "
        "model of this name, which stays what it is."
    )


def _conflict(name: str, packages: Iterable[str]) -> str:
    return (
        f"The packages {' and '.join(packages)} both offer a model named {name!r}; uninstall one "
        "of them."
    )
