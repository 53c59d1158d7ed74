"""A build function in a file: found, checked, built, and every mistake is one sentence."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import keras
import pytest

from tfdpzoo import zoo
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo.own_models import DEFAULT_RECIPE, OwnModel

SHAPE = (8, 8, 1)

CODE = """
from __future__ import annotations
from dataclasses import dataclass
import keras

@dataclass(frozen=True)
class Block:
    filters: int = 4

def build(*, input_shape, classes, width: int = 4, **others):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(width, 3, name=others.get("first", "first")),
            keras.layers.Flatten(),
            keras.layers.Dense(classes),
        ]
    )

def strict(input_shape, classes, width):
    return build(input_shape=input_shape, classes=classes, width=width)

def positional(input_shape, classes, /):
    return None

def blind(classes):
    return None

def nothing(**arguments):
    return None

def failing(**arguments):
    raise RuntimeError("no such\\nlayer.")

VALUE = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_net.py"
    path.write_text(CODE)
    return path


def test_the_function_of_a_file_is_a_model(file: Path, tmp_path: Path) -> None:
    model = f"{file}:build"

    assert zoo.entry(model).name == "my_net"
    assert zoo.entry(model).card is None
    assert zoo.entry(model).arguments() == {"width": 4}
    built = zoo.build(model, input_shape=SHAPE, classes=3, width=2, first="mine")
    assert isinstance(built, keras.Model)
    assert built.layers[0].name == "mine"
    assert built.count_params() == 20 + 72 * 3 + 3
    # Neither compiled code nor anything else is left beside it.
    assert os.listdir(tmp_path) == ["my_net.py"]


def test_the_default_recipe_is_for_any_model(file: Path) -> None:
    recipe = zoo.recipe(f"{file}:build", dataset="mnist", overrides={"width": "8"})

    assert (recipe.name, recipe.model, recipe.dataset) == (DEFAULT_RECIPE, "my_net", "mnist")
    assert recipe.architecture == {"width": 8}
    assert recipe.sources["privacy.epsilon"] == "replaced by --epsilon"
    assert recipe.privacy.delta <= 1 / 100_000


def test_a_recipe_of_ones_own_names_the_model(file: Path, tmp_path: Path) -> None:
    text = zoo.recipe(f"{file}:build").to_toml()
    (tmp_path / "mine.toml").write_text(text.replace('name = "own-model"\n', ""))
    recipe = zoo.recipe(f"{file}:build", str(tmp_path / "mine.toml"))
    assert (recipe.name, recipe.model) == ("mine", "my_net")

    digits = zoo.entry("smoothnet").recipes["digits"]
    with pytest.raises(InputError, match="is for the model 'smoothnet', not for 'my_net'"):
        zoo.recipe(f"{file}:build", str(digits))


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("my_net.py", "my_net"),
        ("my net (2).py", "my-net-2"),
        ("ünet.py", "net"),
        ("..py", DEFAULT_RECIPE),
        ("<b>.py", "b"),
        (f"{'x' * 200}.py", "x" * 60),
    ],
)
def test_the_name_is_safe_as_a_folder(name: str, derived: str) -> None:
    own = OwnModel.parse(f"some/folder/{name}:build")
    assert own is not None
    assert own.name == derived
    assert str(own) == f"some/folder/{name}:build"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("biuld", "no function in .*my_net.py named 'biuld'; did you mean 'build'"),
        ("VALUE", "no function in .*my_net.py named 'VALUE'"),
        ("positional", "does not take 'input_shape' by keyword; its signature must be build"),
        ("blind", "does not take 'input_shape' by keyword"),
        ("nothing", "my_net.py:nothing returned a NoneType; a keras.Model from images to logits"),
        ("failing", r"my_net.py:failing cannot build a model: RuntimeError: no such\.$"),
        ("strict", "cannot build a model: TypeError: .*missing .* 'width'"),
    ],
)
def test_a_function_that_is_none_is_refused(file: Path, function: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        zoo.build(f"{file}:{function}", input_shape=SHAPE, classes=3)
    assert "\n" not in str(caught.value)


def test_an_unknown_argument_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="no argument of .*my_net.py:strict named 'depth'"):
        zoo.build(f"{file}:strict", input_shape=SHAPE, classes=3, depth=3)
    assert zoo.build(f"{file}:strict", input_shape=SHAPE, classes=3, width=3).count_params() > 0


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (b"def build(:\n", r"my_net.py cannot be run: invalid syntax \(line 1\)\.$"),
        (b"import layers_beside_me", "cannot be run: ModuleNotFoundError: No module named 'layers"),
        (b"raise SystemExit('bye')", r"cannot be run: SystemExit: bye\.$"),
        (b"\xff\xfe", "cannot be run: "),
        (b"a\x00b", "cannot be run: "),
        (b"", "my_net.py has no function build, or any other"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused(file: Path, code: bytes, sentence: str) -> None:
    file.write_bytes(code)
    (file.parent / "layers_beside_me.py").touch()
    with pytest.raises(InputError, match=sentence) as caught:
        zoo.build(f"{file}:build", input_shape=SHAPE, classes=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nowhere.py:build", r"There is no file nowhere\.py\.$"),
        ("my_net.py", r"does not say which function builds the model; write my_net\.py:build\.$"),
        ("my_net.py:", "does not say which function"),
        ("my_net.py:a b", "does not say which function"),
        ("my_net.py:a.b", "does not say which function"),
        (os.fsdecode(b"\xff.py:build"), "which is not valid UTF-8"),
    ],
)
def test_what_names_no_function_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(InputError, match=sentence):
        zoo.entry(text)


def test_the_name_of_another_model_is_refused(file: Path) -> None:
    taken = file.rename(file.with_name("smoothnet.py"))
    with pytest.raises(InputError, match="would be called 'smoothnet', which is another model's"):
        zoo.entry(f"{taken}:build")


def test_names_of_the_zoo_are_no_files() -> None:
    assert OwnModel.parse("smoothnet") is None
    assert OwnModel.parse("smoothnet:3") is None


def test_a_copy_has_the_models_name(file: Path, tmp_path: Path) -> None:
    odd = file.rename(tmp_path / "my net.py")
    (tmp_path / "run").mkdir()
    own = OwnModel(odd, "build")

    copy = own.copy_to(tmp_path / "run")

    assert copy.file == tmp_path / "run" / "my-net.py"
    assert copy.name == own.name
    assert copy.file.read_text() == textwrap.dedent(CODE)
    with pytest.raises(InputError, match="cannot be copied to .*: No such file or directory"):
        own.copy_to(tmp_path / "nowhere")


def test_every_value_of_the_default_recipe_has_a_source(file: Path) -> None:
    path = zoo.entry(f"{file}:build").recipes[DEFAULT_RECIPE]
    recipe = Recipe.from_toml(path)
    table = recipe.to_dict()
    for name in ("privacy", "optimizer"):
        given = [key for key in table[name] if key not in ("weight_decay", "warmup_updates")]
        assert {f"{name}.{key}" for key in given} <= {*recipe.sources}
