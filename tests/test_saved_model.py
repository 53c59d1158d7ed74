"""Export: the SavedModel answers like the model, carries its record, and appears whole."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import subprocess
import sys

import dp_accounting
import keras
import numpy as np
import pytest
import tensorflow as tf
from stand_in import CLASSES, SHAPE, StandIn, small_model

from tfdpzoo import version_writing
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify


@pytest.fixture(scope="module")
def private() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def exported(private, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small" / "1"
    return export(private, path, class_names=[f"class {i}" for i in range(CLASSES)])


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported))


def images(count: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 255, (count, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 7])
def test_the_served_model_gives_the_models_outputs(private, loaded, count):
    served = loaded.signatures["serving_default"](images=tf.constant(images(count)))
    logits = private.model(images(count), training=False).numpy()
    # The same graph of float32 operations, perhaps fused in another way.
    np.testing.assert_allclose(served["logits"], logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(served["probabilities"], tf.nn.softmax(logits), atol=1e-6)
    assert served["logits"].shape == (count, CLASSES)


def test_signatures_have_the_promised_names_and_types(loaded):
    serving = loaded.signatures["serving_default"]
    positional, named = serving.structured_input_signature
    assert positional == ()
    assert named == {"images": tf.TensorSpec([None, *SHAPE], tf.float32, name="images")}
    outputs = serving.structured_outputs
    assert {name: each.dtype for name, each in outputs.items()} == {
        "logits": tf.float32,
        "probabilities": tf.float32,
    }
    assert loaded.signatures["privacy_guarantee"].structured_input_signature == ((), {})
    _, requests = loaded.signatures["privacy_guarantee_rest"].structured_input_signature
    assert requests == {"requests": tf.TensorSpec([None], tf.string, name="requests")}


def test_the_record_is_in_the_graph_and_in_the_folder(private, exported, loaded):
    answered = loaded.signatures["privacy_guarantee"]()["json"].numpy().decode()
    written = json.loads((exported / "assets.extra" / "privacy.json").read_text())
    files = written.pop("files")
    assert json.loads(answered) == written
    by_rest = loaded.signatures["privacy_guarantee_rest"](requests=tf.constant(["", "any"]))
    assert by_rest["json"].numpy().tolist() == [answered.encode()] * 2
    guarantee = PrivacyGuarantee.from_json(answered)
    assert guarantee.claim == private.guarantee().claim
    assert len(guarantee.provenance.weights_sha256) == 64
    assert sorted(files) == [
        "assets.extra/classes.json",
        "assets.extra/model.json",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    classes = json.loads((exported / "assets.extra" / "classes.json").read_text())
    assert classes == ["class 0", "class 1", "class 2", "class 3"]


def test_epsilon_in_the_record_equals_an_independent_recomputation(exported):
    """Reads the JSON and uses dp-accounting only, nothing of tfdpzoo."""
    record = json.loads((exported / "assets.extra" / "privacy.json").read_text())
    builder = dp_accounting.DpEventBuilder()
    for segment in record["updates"]["segments"]:
        gaussian = dp_accounting.GaussianDpEvent(segment["noise_multiplier"])
        update = dp_accounting.PoissonSampledDpEvent(segment["sampling_rate"], gaussian)
        builder.compose(update, segment["updates"])
    delta = record["claim"]["delta"]
    pld_row, rdp_row, _ = record["results"]
    interval = pld_row["discretization_interval"]
    add_or_remove_one = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE

    def by_pld(width: float) -> float:
        accountant = dp_accounting.pld.PLDAccountant(add_or_remove_one, width)
        return accountant.compose(builder.build()).get_epsilon(delta)

    by_rdp = dp_accounting.rdp.RdpAccountant().compose(builder.build()).get_epsilon(delta)
    assert record["claim"]["epsilon"] == pld_row["epsilon"]
    assert pld_row["epsilon"] == pytest.approx(by_pld(interval), rel=1e-9)
    assert rdp_row["epsilon"] == pytest.approx(by_rdp, rel=1e-9)
    # A finer grid rounds less; the record may only claim less privacy than it gives.
    assert by_pld(interval / 10) <= pld_row["epsilon"] <= by_pld(interval / 10) + 0.01
    assert record["updates"]["segments"] == [
        {"noise_multiplier": 1.1, "sampling_rate": 0.1, "updates": 20}
    ]


PLAIN_CLIENT = """
import importlib.abc, importlib.machinery, sys

class Blocked(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("tfdpzoo", "keras", "tf_keras", "dp_accounting"):
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ModuleNotFoundError(f"{spec.name} is blocked", name=spec.name)

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Blocked())
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
images = tf.constant(np.load(sys.argv[2]))
np.save(sys.argv[3], model.signatures["serving_default"](images=images)["logits"].numpy())
print(model.signatures["privacy_guarantee"]()["json"].numpy().decode()[:15])
assert not {"tfdpzoo", "keras", "dp_accounting"} & set(sys.modules)
"""


def test_it_loads_where_neither_keras_nor_this_project_can_be_imported(private, exported, tmp_path):
    np.save(tmp_path / "images.npy", images(3))
    command = [sys.executable, "-I", "-c", PLAIN_CLIENT, str(exported)]
    command += [str(tmp_path / "images.npy"), str(tmp_path / "logits.npy")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{\n  "sentence":\n'
    logits = private.model(images(3), training=False).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), logits, rtol=1e-5, atol=1e-5)


def test_nothing_of_keras_is_saved(exported):
    assert b"_tf_keras" not in (exported / "saved_model.pb").read_bytes()
    names = tf.train.load_checkpoint(str(exported / "variables/variables"))
    keys = sorted(names.get_variable_to_shape_map())
    assert keys[0] == "_CHECKPOINTABLE_OBJECT_GRAPH"
    assert all(key.startswith("weights/") for key in keys[1:])
    assert len(keys) == 1 + len(small_model().weights)


def test_bfloat16_training_is_served_in_float32(tmp_path):
    reference = small_model()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = small_model()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(reference.get_weights())
    path = export(StandIn(mixed), tmp_path / "1")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    logits = served(images=tf.constant(images(5)))["logits"]
    expected = reference(images(5)).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    # The model itself is as it was: still bfloat16, and visibly coarser.
    assert mixed.layers[1].compute_dtype == "bfloat16"
    assert np.abs(mixed(images(5)).numpy().astype(np.float32) - expected).max() > 1e-4


def test_the_released_weights_are_the_ones_that_are_written(tmp_path):
    class Averaging(StandIn):
        @contextlib.contextmanager
        def released_weights(self):
            original = self.model.get_weights()
            self.model.set_weights([weight * 0 for weight in original])
            yield
            self.model.set_weights(original)

    private = Averaging(small_model())
    served = tf.saved_model.load(str(export(private, tmp_path / "1")))
    logits = served.signatures["serving_default"](images=tf.constant(images(2)))["logits"]
    np.testing.assert_array_equal(logits, np.zeros((2, CLASSES)))
    assert np.abs(private.model(images(2)).numpy()).max() > 0


def test_a_given_guarantee_is_the_one_that_is_stated(private, tmp_path):
    stated = private.guarantee().with_metrics({"accuracy": 0.5})
    path = export(private, tmp_path / "1", guarantee=stated)
    record = json.loads((path / "assets.extra" / "privacy.json").read_text())
    assert record["evaluation"]["metrics"] == [{"name": "accuracy", "value": 0.5}]


def test_a_model_without_privacy_says_so(private, tmp_path):
    plain = PrivacyGuarantee.state(
        segments=[],
        delta=1e-4,
        clip_norm=None,
        examples=1000,
        expected_batch=100,
        planned_updates=20,
        target_epsilon=None,
        weaknesses=["trained without differential privacy"],
    )
    path = export(private, tmp_path / "1", guarantee=plain)
    record = json.loads((path / "assets.extra" / "privacy.json").read_text())
    assert record["sentence"].startswith("Not a valid privacy guarantee. Reason: trained without")
    assert record["status"]["valid"] is False


def test_subclassed_models_are_exported(tmp_path):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(self.flatten(inputs))

    model = Subclassed()
    logits = model(images(2)).numpy()
    served = tf.saved_model.load(str(export(StandIn(model), tmp_path / "1")))
    outputs = served.signatures["serving_default"](images=tf.constant(images(5)))
    np.testing.assert_allclose(outputs["logits"][:2], logits, rtol=1e-5, atol=1e-5)


def test_an_existing_path_is_refused_before_any_work(private, tmp_path):
    (tmp_path / "1").mkdir()
    before = private.released
    with pytest.raises(InputError, match="1 exists already and is never overwritten"):
        export(private, tmp_path / "1")
    assert private.released == before
    assert list((tmp_path / "1").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(private, tmp_path, monkeypatch, error):
    save = tf.saved_model.save

    def failing(*arguments, **named):
        save(*arguments, **named)
        raise error

    monkeypatch.setattr(tf.saved_model, "save", failing)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        export(private, tmp_path / "models" / "small" / "1")
    assert os.listdir(tmp_path) == []
    if expected is InputError:
        assert str(caught.value).endswith("1 cannot be written: No space left on device.")


def test_the_folder_is_whole_when_it_appears(private, tmp_path, monkeypatch):
    seen = []
    rename = version_writing.rename_without_replacing

    def spy(source, target):
        seen.append((sorted(os.listdir(source)), os.path.exists(target)))
        rename(source, target)

    monkeypatch.setattr(version_writing, "rename_without_replacing", spy)
    export(private, tmp_path / "1")
    expected = ["assets", "assets.extra", "fingerprint.pb", "saved_model.pb", "variables"]
    assert (expected, False) in seen
    assert os.listdir(tmp_path) == ["1"]


def test_others_may_read_the_folder(private, tmp_path):
    """A server usually runs as another user; a private temporary folder must not be left so."""
    umask = os.umask(0o022)
    try:
        path = export(private, tmp_path / "1")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_export_prints_nothing_to_stdout(private, tmp_path, capfd):
    export(private, tmp_path / "1")
    assert capfd.readouterr().out == ""


def two_inputs():
    first, second = keras.Input(SHAPE), keras.Input(SHAPE)
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(first + second))
    return keras.Model([first, second], outputs)


def any_size():
    pooled = keras.layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input((None, None, 3)), pooled, keras.layers.Dense(2)])


def feature_map():
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(2, 1)])


def unbuilt():
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: small_model(last_activation="softmax"),
            "ends in probabilities .* has from_logits",
        ),
        (two_inputs, "cannot be served as an image classifier; build it for one batch of images"),
        (any_size, r"input shape \(None, None, None, 3\) cannot be served .* of a fixed size\.$"),
        (feature_map, r"output has shape .*; logits, \(batch, classes\), are needed"),
        (unbuilt, "input shape None cannot be served"),
    ],
)
def test_models_that_cannot_be_served_are_refused(tmp_path, model, message):
    with pytest.raises(InputError, match=message):
        export(StandIn(model()), tmp_path / "models" / "1")
    assert os.listdir(tmp_path) == []


def test_class_names_must_match(private, tmp_path):
    with pytest.raises(InputError, match=r"There are 2 class names for 4 classes\.$"):
        export(private, tmp_path / "1", class_names=["cat", "dog"])
    assert os.listdir(tmp_path) == []


def test_infinite_epsilon_is_exported(private, tmp_path):
    leaky = StandIn(private.model)
    leaky.ledger.record(0.0, 0.1)
    path = export(leaky, tmp_path / "1")
    record = json.loads((path / "assets.extra" / "privacy.json").read_text())
    assert record["claim"]["epsilon"] == "infinity"
    assert (
        PrivacyGuarantee.from_json(
            tf.saved_model.load(str(path)).signatures["privacy_guarantee"]()["json"].numpy()
        ).epsilon
        == math.inf
    )


def test_a_trained_model_states_what_was_executed(tmp_path):
    """The whole way with the real class: train, stop early, export, verify, recompute."""
    plan = PrivacyPlan.calibrate(
        epsilon=5.0, delta=1e-3, examples=200, batch_size=20, updates=10, clip_norm=1.0
    )
    private = PrivateModel(small_model(), plan, averaging_decay=0.9)
    private.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    pixels, labels = images(200), np.arange(200) % CLASSES
    private.fit(plan.batches(pixels, labels), epochs=1, verbose=0)
    executed = private.ledger.updates
    before = private.model.get_weights()
    path = export(private, tmp_path / "small" / "1")
    for weights, again in zip(before, private.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, again)

    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    logits = served(images=tf.constant(pixels[:9]))["logits"]
    np.testing.assert_allclose(logits, private.predict(pixels[:9], verbose=0), atol=1e-5)

    update = dp_accounting.PoissonSampledDpEvent(
        0.1, dp_accounting.GaussianDpEvent(plan.noise_multiplier)
    )
    accountant = dp_accounting.pld.PLDAccountant()
    epsilon = accountant.compose(update, executed).get_epsilon(1e-3)
    report = verify(tmp_path / "small")
    assert report.ok, report.problems
    assert report.guarantee.updates.executed == executed
    # The reference uses a grid ten times finer; the record may only round up.
    assert epsilon <= report.guarantee.epsilon <= epsilon + 0.01
    assert report.guarantee.epsilon <= 5.0
    assert report.guarantee.valid
