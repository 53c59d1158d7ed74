"""Keras files: Keras alone loads them where it has the layers, and they compute the same."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from converted import CLASS_NAMES, export_by_recipe

from tfdpzoo.conversion.keras_file import write_keras
from tfdpzoo.conversion.network import rebuild
from tfdpzoo.conversion.original import Original
from tfdpzoo.conversion.reading import read_carried_record
from tfdpzoo.data.tensorflow_datasets import published_normalization
from tfdpzoo.errors import InputError
from tfdpzoo.zoo import catalog

IMAGES = np.random.default_rng(1).uniform(0, 255, (2, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def written(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    file = write_keras(original, path, catalog.build)
    assert file.agreement.holds
    assert file.custom_layers == ()
    return path


def test_keras_alone_loads_it(written, original, tmp_path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    code = (
        "import sys, numpy as np, keras\n"
        f"model = keras.models.load_model({str(written)!r})\n"
        "np.save('logits.npy', model(np.load('images.npy')))\n"
        "assert not any(name.startswith('tfdpzoo') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)

    logits = np.load(tmp_path / "logits.npy")
    # float32 sums in another order.
    np.testing.assert_allclose(logits, original.predict(IMAGES)["logits"], atol=1e-5)


def test_it_carries_the_record(written, original) -> None:
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None
        fields = json.loads(archive.read("privacy_guarantee.json"))
        assert json.loads(archive.read("classes.json")) == list(CLASS_NAMES)
    assert fields == original.guarantee.to_fields()
    assert read_carried_record(written).guarantee == original.guarantee


def test_the_normalisation_is_that_of_the_data_set(tmp_path) -> None:
    constants = published_normalization("cifar10")
    exported = export_by_recipe(
        catalog.build("tanh_cnn", input_shape=(8, 8, 3), classes=5, layout="cifar10-small"),
        tmp_path / "a" / "1",
        architecture={"layout": "cifar10-small"},
        dataset="cifar10",
        normalization=constants,
    )

    model = rebuild(Original.open(exported), catalog.build)

    (layer,) = (each for each in model.layers if isinstance(each, keras.layers.Normalization))
    np.testing.assert_allclose(np.ravel(layer.mean), constants.mean, rtol=1e-6)


def test_a_folder_may_have_the_name_of_a_known_data_set(tmp_path) -> None:
    exported = export_by_recipe(
        catalog.build("tanh_cnn", input_shape=(8, 8, 3), classes=5, layout="cifar10-small"),
        tmp_path / "a" / "1",
        architecture={"layout": "cifar10-small"},
        dataset="cifar10",
    )

    model = rebuild(Original.open(exported), catalog.build)

    np.testing.assert_allclose(
        model(IMAGES), Original.open(exported).predict(IMAGES)["logits"], atol=1e-5
    )


def test_a_model_without_a_recipe_is_refused(plain_original, nothing_left) -> None:
    with pytest.raises(InputError, match="was exported without its recipe.* export to saved_model"):
        write_keras(plain_original, nothing_left / "model.keras", catalog.build)


def other_layout(name, **arguments):
    return catalog.build(name, **arguments | {"layout": "cifar10"})


def other_shape(name, **arguments):
    return catalog.build(name, **arguments | {"input_shape": (16, 16, 3)})


def other_activation(name, **arguments):
    return catalog.build(name, **arguments | {"activation": "selu"})


@pytest.mark.parametrize(
    ("builder", "difference"),
    [
        (other_layout, r"it has 16 weights and not 14"),
        (other_shape, r"where the model has 0000.*/kernel of shape"),
        (other_activation, r"with its weights it computes something else"),
    ],
)
def test_a_zoo_that_builds_another_network_is_refused(
    original, nothing_left, builder, difference: str
) -> None:
    with pytest.raises(InputError, match=f"builds another network today: .*{difference}"):
        write_keras(original, nothing_left / "model.keras", builder)


def test_a_model_of_the_zoo_that_is_gone_is_told(original, nothing_left, monkeypatch) -> None:
    monkeypatch.setattr(catalog, "_entries", dict)
    with pytest.raises(InputError, match="There is no model named 'tanh_cnn'"):
        write_keras(original, nothing_left / "model.keras", catalog.build)


def test_a_full_disk_leaves_nothing(original, nothing_left, monkeypatch) -> None:
    def fail(_model, path):
        path.write_bytes(b"half of a mod")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(InputError, match=r"model.keras cannot be written: No space left on dev"):
        write_keras(original, nothing_left / "model.keras", catalog.build)


def test_facts_that_are_missing_are_no_recipe(with_recipe, tmp_path, original) -> None:
    folder = shutil.copytree(with_recipe, tmp_path / "1")
    (folder / "assets.extra" / "model.json").unlink()

    with pytest.raises(InputError, match="was exported without its recipe"):
        rebuild(dataclasses.replace(original, folder=folder), catalog.build)
