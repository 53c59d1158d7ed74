"""Trains on some folders of images, one after the other; prints the most memory after each.

python tests/peaks_of_memory.py LIMIT FOLDER ...
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import keras

from tfdpzoo import training
from tfdpzoo.data import load
from tfdpzoo.evaluation import evaluate_saved_model
from tfdpzoo.memory import parse_memory
from tfdpzoo.recipe import ExecutionSettings, OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import digest_of_data
from tfdpzoo.training import train
from tfdpzoo.training_job import prepare

BATCH, UPDATES = 4, 12


def pooled(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """A model with little to learn, so that images are what takes memory."""
    layers = [
        keras.layers.AveragePooling2D(64),
        keras.layers.Flatten(),
        keras.layers.Dense(classes),
    ]
    return keras.Sequential([keras.Input(input_shape), *layers])


def run(images: Path, limit: int) -> None:
    """Does all that a run does with images: digest, training, tests, evaluation of the model."""
    dataset = load(images, memory_limit=limit)
    digest_of_data(dataset, "run")
    recipe = Recipe(
        name="flat",
        model="pooled",
        description="A test",
        dataset=str(images),
        privacy=PrivacySettings(
            epsilon=8.0,
            delta=1e-4,
            batch_size=BATCH,
            epochs=UPDATES * BATCH / dataset.examples,
            clip_norm=1.0,
        ),
        optimizer=OptimizerSettings("sgd", 0.5, "cosine"),
        execution=ExecutionSettings(chunk=BATCH, jit_compile="off"),
    )
    folder = RunFolder.create(images.parent / "runs", recipe)
    result = train(prepare(recipe, dataset, pooled), folder, images.parent / "models" / images.name)
    evaluate_saved_model(result.model_path, dataset.test_images, dataset.test_labels, BATCH)


if __name__ == "__main__":
    # A batch is in memory as a whole, and of little data there is no large one.
    training.TEST_BATCH_SIZE = BATCH
    for place in sys.argv[2:]:
        run(Path(place), parse_memory(sys.argv[1]))
        # Linux counts in KiB.
        print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
