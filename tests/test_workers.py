"""Two real processes train as one; what happens when one is lost is in `test_faults.py`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from faulty_runs import SERVER
from real_workers import BOUND, configurations

from tfdpzoo.distribution import make_strategy

# Workers add up in another order than one process; the model is linear, so that no bend of a
# network makes more of that.
ROUNDING = 1e-5


def train_linear_model(configuration: str | None, path: Path) -> None:
    """Trains by 20 updates and keeps the weights; called in a process of its own."""
    if configuration is not None:
        os.environ["TF_CONFIG"] = configuration
    # TensorFlow starts when this is imported, and workers must be known by then.
    strategy = make_strategy("none" if configuration is None else "multiworker")
    from private_training import IMAGES, KEY, LABELS, plan_of, private_model, weights_of

    plan = plan_of(20)
    with strategy.scope():
        private = private_model(plan, metrics=["accuracy"])
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    history = private.fit(batches, verbose=0, validation_data=(IMAGES, LABELS)).history
    np.savez(path, *weights_of(private.model), **history)


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Weights, and what is reported of the whole sample and of the test images."""
    paths = [tmp_path / f"{name}.npz" for name in ("alone", "first", "second")]
    for configurations_of_one in ([None], configurations()):
        processes = [
            SERVER.Process(target=train_linear_model, args=(configuration, paths.pop(0)))
            for configuration in configurations_of_one
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(BOUND * 2)
            assert process.exitcode == 0

    alone, *workers = (dict(np.load(tmp_path / f"{n}.npz")) for n in ("alone", "first", "second"))
    for worker in workers:
        assert worker.keys() == alone.keys() > {"loss", "val_accuracy"}
        for name, values in alone.items():
            np.testing.assert_allclose(worker[name], values, atol=ROUNDING, err_msg=name)
