"""Models of other packages: found by their metadata, and a broken one breaks nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tfdpzoo import zoo
from tfdpzoo.cli.main import main
from tfdpzoo.errors import InputError
from tfdpzoo.zoo import catalog

RECIPE = """
model = "{model}"
description = "A recipe"
dataset = "digits"

[privacy]
epsilon = 3.0
delta = 1e-4
batch_size = 64
epochs = 5
clip_norm = 1.0

[optimizer]
name = "sgd"
learning_rate = 1.0
schedule = "constant"
"""

ENTRY = """
from pathlib import Path
from tfdpzoo.zoo import ZooEntry

def load_builder():
    import keras

    def linear(input_shape, classes, scale: float = 1.0):
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
        )

    return linear

ENTRY = ZooEntry(Path(__file__).parent, "A linear model", "none", load_builder, "digits")
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lays a package with one entry point on the path, as `pip install` would."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def lay(
        model: str, code: str = ENTRY, *, package: str = "stranger", recipe: str = RECIPE
    ) -> Path:
        module = f"{package}_models.{model}"
        folder = tmp_path / "site" / f"{package}_models" / model
        (folder / "recipes").mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "__init__.py").write_text(code)
        (folder / "recipes" / "digits.toml").write_text(recipe.format(model=model))
        metadata = tmp_path / "site" / f"{package}-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        about = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        (metadata / "METADATA").write_text(about)
        points = metadata / "entry_points.txt"
        before = points.read_text() if points.exists() else "[tfdpzoo.models]\n"
        points.write_text(f"{before}{model} = {module}:ENTRY\n")
        for name in (module, f"{package}_models"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        return folder

    return lay


def test_a_model_of_another_package_is_one_of_the_zoo(install: Install) -> None:
    install("linear")

    assert {"linear", "smoothnet"} <= set(zoo.names())
    assert zoo.entry("linear").description == "A linear model"
    assert zoo.recipe("linear").privacy.batch_size == 64
    assert zoo.build("linear", input_shape=(4, 4, 1), classes=3).count_params() == 51
    entries, notes = catalog.survey()
    assert "linear" in [each.name for each in entries]
    assert notes == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "import a_module_that_is_not_there",
            "The model 'broken' of the package stranger cannot be imported: ModuleNotFoundError: "
            "No module named 'a_module_that_is_not_there'.",
        ),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3."),
        ("raise RuntimeError", "cannot be imported: RuntimeError: ."),
        ("def", "cannot be imported: SyntaxError: "),
        ("OTHER = 1", "cannot be imported: AttributeError: "),
        ("ENTRY = 7", "ENTRY is a int and no tfdpzoo.zoo.ZooEntry."),
        (ENTRY.replace("parent,", "parent.parent,"), "its entry is named 'stranger_models'."),
        (ENTRY.replace('"digits")', '"paper")'), "it has no recipe 'paper' in "),
    ],
)
def test_a_broken_package_is_told_of_and_breaks_nothing(
    install: Install, code: str, sentence: str
) -> None:
    install("linear", package="good")
    install("broken", code)

    with pytest.raises(InputError) as caught:
        zoo.entry("broken")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    entries, notes = catalog.survey()
    assert notes == [str(caught.value)]
    assert {"linear", "smoothnet"} <= {each.name for each in entries}
    assert zoo.entry("smoothnet").default_recipe == "paper"


def test_a_broken_recipe_is_told_of(install: Install) -> None:
    install("linear", recipe=RECIPE.replace("epsilon = 3.0", "epsilon = -3"))
    with pytest.raises(InputError, match=r"In the recipe .*digits\.toml: privacy\.epsilon must be"):
        zoo.entry("linear")

    install("other", recipe=RECIPE.replace("{model}", "linear"))
    with pytest.raises(InputError, match="'other' .* is for the model 'linear', not for 'other'"):
        zoo.entry("other")


def test_the_zoo_keeps_its_names(
    install: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("smoothnet")
    sentence = (
        "The model 'smoothnet' of the package stranger cannot be used: the zoo has a model of this "
        "name, which stays what it is."
    )

    assert zoo.entry("smoothnet").default_recipe == "paper"
    assert catalog.note_on("smoothnet") == sentence
    assert catalog.note_on("tanh_cnn") is None
    assert catalog.survey()[1] == [sentence]
    assert main(["plan", "smoothnet", "--recipe", "digits", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == f"{sentence}\n"
    assert json.loads(said.out)["examples"] == 1433


def test_two_packages_with_one_name_are_both_named(install: Install) -> None:
    install("linear", package="one")
    install("linear", package="two")

    with pytest.raises(InputError) as caught:
        zoo.entry("linear")
    assert str(caught.value) == (
        "The packages one and two both offer a model named 'linear'; uninstall one of them."
    )
    assert catalog.survey()[1] == [str(caught.value)]


def test_the_list_has_models_of_packages_and_notes_on_stderr(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("linear", package="good")
    install("broken", "import a_module_that_is_not_there")

    assert main(["list", "--json"]) == 0
    said = capsys.readouterr()

    assert {"linear", "smoothnet"} <= {each["name"] for each in json.loads(said.out)}
    assert said.err.startswith("The model 'broken' of the package stranger cannot be imported")
    assert said.err.count("\n") == 1


def test_an_unknown_model_names_those_of_packages_too(install: Install) -> None:
    install("linear")
    with pytest.raises(InputError, match="named 'linaer'; did you mean 'linear'.*tfdpzoo models"):
        zoo.entry("linaer")


def test_a_package_is_not_imported_for_another_model(install: Install) -> None:
    install("loud", "raise RuntimeError('must not be imported')")
    zoo.recipe("smoothnet", "digits")
    zoo.names()
    assert "stranger_models.loud" not in sys.modules
