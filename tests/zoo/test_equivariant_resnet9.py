"""The Equivariant ResNet-9: published sizes, equivariance of the trunk, and use in Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from stand_in import StandIn

from tfdpzoo import zoo
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.validate import choose_differentiation, require_private_trainable
from tfdpzoo.errors import InputError
from tfdpzoo.layers.equivariance import equivariance_error, move_features, move_images
from tfdpzoo.layers.groups import square_group
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.zoo.equivariant_resnet9.architecture import (
    equivariant_resnet9,
    normalization_groups,
    stage_fields,
)

LAYOUT = (8, 10, 16)


@pytest.mark.parametrize(
    ("group", "restriction", "parameters"),
    [
        ("D4", "D2", 255_675),
        ("D4", "none", 190_443),
        ("D4", "D1", 365_403),
        ("D4", "C1", 410_567),
        ("D2", "D1", 258_328),
        ("D1", "none", 200_740),
        ("C4", "none", 200_312),
        ("C4", "C2", 258_328),
        ("C2", "none", 200_740),
        ("C1", "none", 204_650),
    ],
)
def test_parameters_are_those_of_the_authors_code(group, restriction, parameters):
    model = equivariant_resnet9(group=group, restriction=restriction)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 10)


def test_parameters_with_all_filters():
    assert equivariant_resnet9(basis="pixels").count_params() == 287_413


@pytest.mark.parametrize(
    ("group", "restriction", "fields"),
    [
        ("D4", "D2", (6, 13, 39)),
        ("D4", "D4", (6, 13, 27)),
        ("C4", "C4", (9, 19, 39)),
        ("C1", "C1", (19, 39, 78)),
    ],
)
def test_fields_of_the_paper(group, restriction, fields):
    groups = square_group(group), square_group(restriction)
    assert stage_fields((16, 32, 64), *groups) == fields


def test_shapes_are_those_of_the_paper():
    model = equivariant_resnet9()
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["conv1"] == (32, 32, 48)
    assert shapes["residual1_sum"] == (16, 16, 104)
    assert shapes["conv3_pooling"] == shapes["restriction"] == (8, 8, 312)
    assert shapes["residual2_sum"] == (4, 4, 156)
    assert shapes["group_pooling"] == (4, 4, 39)
    assert shapes["flatten"] == (156,)
    assert [normalization_groups(fields) for fields in (6, 13, 39)] == [1, 1, 3]
    groups = {layer.name: layer.groups for layer in model.layers if hasattr(layer, "groups")}
    assert groups["conv1_normalization"] == groups["residual1_normalization"] == 1
    assert groups["conv3_normalization"] == groups["residual2_normalization"] == 3


def test_variables_are_kernels_and_biases_alone():
    """As published: normalisation has neither a factor nor a summand."""
    model = equivariant_resnet9()
    names = {variable.name for variable in model.trainable_variables}
    assert names == {"kernel", "bias"}
    assert len(model.trainable_variables) == len(model.weights) == 18


def trunk(model: keras.Model, layer: str) -> keras.Model:
    return keras.Model(model.input, model.get_layer(layer).output)


@pytest.mark.parametrize(
    ("side", "group", "restriction", "basis"),
    [
        (28, "D4", "D2", "pixels"),
        (19, "D4", "none", "rings"),
        (17, "C4", "C2", "rings"),
        (16, "D2", "C1", "pixels"),
    ],
)
def test_equivariance_up_to_the_head(side, group, restriction, basis):
    whole = square_group(group)
    part = whole if restriction == "none" else square_group(restriction)
    model = equivariant_resnet9(
        (side, side, 3), group=group, restriction=restriction, layout=LAYOUT, basis=basis
    )
    images = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype("float32")
    for layer, symmetry, move in [
        ("residual1_normalization", whole, move_features),
        ("conv3_pooling", whole, move_features),
        ("residual2_normalization", part, move_features),
        ("head_pooling", part, move_images),
    ]:
        features = trunk(model, layer)
        error = equivariance_error(features, images, symmetry, move_images, move)
        assert error < 1e-5, layer


def test_equivariance_of_the_published_network():
    model = equivariant_resnet9()
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    before, after = trunk(model, "conv3_pooling"), trunk(model, "residual2_normalization")
    assert equivariance_error(before, images, square_group("D4"), move_images) < 1e-5
    assert equivariance_error(after, images, square_group("D2"), move_images) < 1e-5
    # A quarter turn is no symmetry of the last stage, and none is of the logits.
    pooled = trunk(model, "group_pooling")
    assert equivariance_error(pooled, images, square_group("C4"), move_images, move_images) > 0.1
    mirrored = model(images[:, ::-1]).numpy()
    assert np.abs(mirrored - model(images).numpy()).max() > 0.1


def test_it_is_trained_by_rules_example_by_example():
    model = equivariant_resnet9((12, 12, 1), 3, layout=LAYOUT)
    loss = per_example_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    require_private_trainable(model)
    chosen = choose_differentiation(model, loss, np.array([0, 1, 2]))
    assert chosen.__name__ == "differentiate"


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = equivariant_resnet9((12, 12, 1), 4, layout=LAYOUT)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 1)).astype("float32")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


@pytest.fixture(scope="module")
def private():
    return StandIn(equivariant_resnet9((12, 12, 1), 4, layout=LAYOUT))


@pytest.fixture(scope="module")
def exported(private, tmp_path_factory):
    return export(private, tmp_path_factory.mktemp("models") / "equivariant_resnet9" / "1")


def test_the_exported_model_has_the_filters_of_a_plain_one(private, exported):
    loaded = tf.saved_model.load(str(exported))
    images = np.random.default_rng(0).normal(size=(3, 12, 12, 1)).astype("float32")
    served = loaded.signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_allclose(served["logits"], private.model(images), rtol=1e-5, atol=1e-5)
    names = {name.split("/", 1)[1]: value.shape for name, value in loaded.weights.items()}
    assert names["conv1/filters"] == (3, 3, 1, 24) and names["conv1/biases"] == (24,)
    assert not any(name.endswith("kernel") for name in names if "conv" in name)
    functions = loaded.signatures["serving_default"].graph.as_graph_def().library.function
    operations = [node.op for function in functions for node in function.node_def]
    assert operations.count("Conv2D") == 8
    # No filter is put together any more.
    assert "GatherV2" not in operations and "Transpose" not in operations
    assert verify(exported).ok


def test_openvino_agrees_with_the_exported_model(private, exported):
    import openvino

    core = openvino.Core()
    core.set_property({"INFERENCE_PRECISION_HINT": "f32"})
    compiled = core.compile_model(openvino.convert_model(str(exported)), "CPU")
    images = np.random.default_rng(0).uniform(0, 2, size=(3, 12, 12, 1)).astype("float32")
    expected = private.model(images).numpy()
    np.testing.assert_allclose(compiled(images)["logits"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"group": "D3"}, "no group named 'D3'"),
        ({"group": "C4", "restriction": "D2"}, "D2 is not a subgroup of C4"),
        ({"layout": (8, 16)}, "layout is .8, 16.; it must be three whole numbers"),
        ({"layout": (1, 16, 32)}, "leaves a stage of D4 without fields; make it wider"),
        ({"classes": 1}, "classes is 1; a classifier needs"),
        ({"input_shape": (7, 9, 1)}, "input_shape is .7, 9, 1.; an Equivariant ResNet-9 takes"),
        ({"basis": "ring"}, "no basis of filters named 'ring'"),
        ({"activation": "misch"}, "no activation named 'misch'; did you mean 'mish'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        equivariant_resnet9(**arguments)


def test_the_card_names_every_recipe_and_argument():
    entry = zoo.entry("equivariant_resnet9")
    card = entry.card.read_text(encoding="utf-8")
    for name in (*entry.recipes, *entry.arguments()):
        assert f"`{name}`" in card


def test_the_recipes_of_the_paper():
    for epsilon in (1, 2, 3, 4, 6, 8):
        recipe = zoo.recipe("equivariant_resnet9", f"cifar10-eps{epsilon}")
        assert recipe.privacy.epsilon == epsilon
        assert recipe.privacy.batch_size == 8192
        assert int(recipe.privacy.epochs * 50_000 / 8192 + 1e-9) == 2160
        assert recipe.privacy.clip_norm == 0.5
        assert recipe.augmentation.multiplicity == 4
        assert recipe.averaging_decay == 0.999


def test_the_plain_twin_has_at_least_four_times_the_parameters():
    parameters = []
    for name in ("fashion_mnist", "fashion_mnist-plain"):
        recipe = zoo.recipe("equivariant_resnet9", name)
        model = zoo.build(
            "equivariant_resnet9", input_shape=(28, 28, 1), classes=10, **recipe.architecture
        )
        parameters.append(model.count_params())
    assert parameters[1] >= 4 * parameters[0]
    one, other = (
        zoo.recipe("equivariant_resnet9", name) for name in ("fashion_mnist", "fashion_mnist-plain")
    )
    assert one.privacy == other.privacy
