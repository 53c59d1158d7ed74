"""The catalogue: models are found by their folders, and mistakes are one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tfdpzoo import zoo
from tfdpzoo.errors import InputError

SHAPE = (8, 8, 1)


def test_the_catalogue_finds_smoothnet() -> None:
    assert "smoothnet" in zoo.names()
    entry = zoo.entry("smoothnet")
    assert entry.name == "smoothnet"
    assert entry.card.is_file()
    assert entry.default_recipe == "paper"
    assert next(iter(entry.recipes)) == "paper"
    assert entry.cpu_recipe in entry.recipes
    assert "arxiv.org/abs/2205.04095" in entry.paper


@pytest.fixture
def toy_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A further folder of the zoo; the test removes it again by its fixtures."""
    folder = tmp_path / "toy"
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / "small.toml").write_text(
        'model = "toy"\ndescription = "Toy"\ndataset = "digits"\n'
        "[privacy]\nepsilon = 1\ndelta = 1e-4\nbatch_size = 8\nepochs = 1\nclip_norm = 1\n"
        '[optimizer]\nname = "sgd"\nlearning_rate = 1\nschedule = "constant"\n'
    )
    (folder / "__init__.py").write_text(
        "from pathlib import Path\n"
        "from tfdpzoo.zoo.catalog import ZooEntry\n"
        "def _toy(input_shape, classes, width: int = 1, deep: bool = False):\n"
        "    return (input_shape, classes, width, deep)\n"
        "ENTRY = ZooEntry(Path(__file__).parent, 'A toy', 'none', lambda: _toy, 'small')\n"
    )
    (tmp_path / "not_a_model").mkdir()
    (tmp_path / "not_a_model" / "__init__.py").write_text("")
    (tmp_path / "stray.py").write_text("raise RuntimeError('must not be imported')\n")
    monkeypatch.setattr(zoo, "__path__", [*zoo.__path__, str(tmp_path)])
    for name in ("toy", "not_a_model"):
        monkeypatch.delitem(sys.modules, f"tfdpzoo.zoo.{name}", raising=False)
    return "toy"


def test_a_folder_is_all_that_a_model_needs(toy_model: str) -> None:
    assert {"smoothnet", toy_model} <= set(zoo.names())
    assert zoo.names() == sorted(zoo.names())
    assert zoo.build(toy_model, input_shape=SHAPE, classes=3, width=2) == (SHAPE, 3, 2, False)
    assert zoo.recipe(toy_model).privacy.batch_size == 8
    assert zoo.recipe(toy_model, overrides={"deep": "true"}).architecture == {"deep": True}
    with pytest.raises(InputError, match="deep must be true or false, got 'no'"):
        zoo.build(toy_model, input_shape=SHAPE, classes=3, deep="no")


def test_a_recipe_of_another_model_is_refused(toy_model: str) -> None:
    path = zoo.entry("smoothnet").recipes["digits"]
    with pytest.raises(InputError) as caught:
        zoo.recipe(toy_model, str(path))
    assert str(caught.value) == ("The recipe digits is for the model 'smoothnet', not for 'toy'.")


def test_listing_models_and_recipes_does_not_import_tensorflow() -> None:
    program = (
        "import sys\n"
        "from tfdpzoo import zoo\n"
        "for name in zoo.names():\n"
        "    for recipe in zoo.entry(name).recipes:\n"
        "        zoo.recipe(name, recipe).settings()\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no model named 'smothnet'; did you mean 'smoothnet'"):
        zoo.entry("smothnet")
    with pytest.raises(InputError, match="no model named 'catalog'"):
        zoo.build("catalog", input_shape=SHAPE, classes=10)
    with pytest.raises(InputError, match="no recipe of smoothnet named 'papr'; did you mean 'pape"):
        zoo.recipe("smoothnet", "papr")
    with pytest.raises(InputError, match="no argument of smoothnet named 'widht'; did you mean 'w"):
        zoo.build("smoothnet", input_shape=SHAPE, classes=10, widht=8)
    with pytest.raises(InputError, match="no recipe key named 'actvation'; did you mean 'activat"):
        zoo.recipe("smoothnet", "digits", overrides={"actvation": "relu"})
    with pytest.raises(InputError, match=r"There is no file .*mine\.toml\."):
        zoo.recipe("smoothnet", "mine.toml")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"width": "wide"}, "width must be a number, got 'wide'."),
        ({"width": float("nan")}, "width must be a finite number, got nan."),
        ({"width": -1}, "width is -1.0;"),
        ({"depth": 1.5}, "depth must be a whole number, got 1.5."),
        ({"depth": 0}, "depth is 0;"),
        ({"separable": "no"}, "separable must be true or false, got 'no'."),
        ({"connections": "denes"}, "named 'denes'; did you mean 'dense'"),
        ({"classes": "ten"}, "classes must be a whole number, got 'ten'."),
        ({"input_shape": (4, 4, 1)}, "input_shape is (4, 4, 1);"),
        ({"input_shape": None}, "input_shape is None;"),
        ({"kernel_initializer": "gloriot"}, "smoothnet cannot be built with "),
    ],
)
def test_values_that_no_model_can_be_built_with(
    arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        zoo.build("smoothnet", **{"input_shape": SHAPE, "classes": 10, **arguments})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_recipe_follows_the_data_set() -> None:
    assert zoo.recipe("smoothnet").name == "paper"
    assert zoo.recipe("smoothnet", dataset="cifar10").name == "paper"
    assert zoo.recipe("smoothnet", dataset="mnist").name == "mnist"
    named = zoo.recipe("smoothnet", "digits", dataset="mnist")
    assert (named.name, named.dataset) == ("digits", "mnist")
    folder = zoo.recipe("smoothnet", dataset="photos/flowers")
    assert (folder.name, folder.dataset) == ("paper", "photos/flowers")
    assert folder.sources["dataset"] == "set for this run; the recipe has 'cifar10'"


def test_overrides_reach_arguments_that_the_recipe_does_not_mention() -> None:
    recipe = zoo.recipe("smoothnet", "digits", overrides={"activation": "relu", "epsilon": 3})
    assert recipe.architecture["activation"] == "relu"
    assert recipe.privacy.epsilon == 3.0


def test_what_the_data_decides_is_no_argument_of_the_architecture() -> None:
    assert not {"input_shape", "classes", "name"} & set(zoo.entry("smoothnet").arguments())
    with pytest.raises(InputError, match=r"no recipe key named 'architecture\.classes'"):
        zoo.recipe("smoothnet", overrides={"architecture.classes": "3"})
