"""What a run was started with: written into its folder, so that it can go on."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdpzoo.data import ImageDataset
from tfdpzoo.data.indexed import in_blocks
from tfdpzoo.distribution import describe
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.hardware import accelerators
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.provenance import Provenance

_FORMAT = "tfdpzoo run 1"
_BYTES_AT_ONCE = 1 << 22


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """The copy of an own model's file in a run's folder.

    Attributes:
        name: The file's name.
        function: Its function that builds the model.
        digest: Of the file.
    """

    name: str
    function: str
    digest: str


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """Everything beside the recipe that the later processes of a run must know.

    It lies in the run's folder alone: digests of private data are no release.

    Attributes:
        format: Of this record.
        run: The run's identity, random.
        data_dir: As `tfdpzoo.data.load` takes it.
        memory_limit: As `tfdpzoo.data.load` takes it; it changes nothing of what is released.
        destination: The version's folder of the model.
        engine: The gradient engine.
        strategy: Where it is trained, see `tfdpzoo.distribution`.
        replicas: How many were asked for; None for as many as there are.
        initialization_seed: Of the initial weights.
        insecure_seed: Of sampling and noise, for tests.
        tuning: What the trainer declared of tuning, see `tfdpzoo.privacy.accesses`; None for
            nothing.
        command: What was typed.
        plan: The privacy plan, as it was calibrated.
        recipe_digest: Of the recipe's file.
        data_digest: Of the training data, see `digest_of_data`.
        environment: Of the process that trained last, see `current_environment`.
        model: Where the model lies that the run ended with; None before its end.
        model_file: The file that builds an own model; None for a model of the zoo.
    """

    format: str
    run: str
    data_dir: str | None
    memory_limit: int | None
    destination: str
    engine: str
    strategy: str
    replicas: int | None
    initialization_seed: int | None
    insecure_seed: int | None
    tuning: str | None
    command: str
    plan: PrivacyPlan
    recipe_digest: str
    data_digest: str
    environment: str
    model: str | None
    model_file: ModelFile | None

    @classmethod
    def new(
        cls,
        *,
        data_dir: Path | None,
        memory_limit: int | None,
        destination: Path,
        engine: str,
        strategy: str,
        replicas: int | None,
        environment: str,
        initialization_seed: int | None,
        insecure_seed: int | None,
        tuning: str | None,
        command: str,
        plan: PrivacyPlan,
        recipe: Path,
        dataset: ImageDataset,
        model_file: ModelFile | None = None,
    ) -> RunRecord:
        """Describes a run that begins in this process.

        Args:
            data_dir: As `tfdpzoo.data.load` takes it.
            memory_limit: As `tfdpzoo.data.load` takes it.
            destination: The version's folder of the model.
            engine: The gradient engine.
            strategy: Where it is trained.
            replicas: How many were asked for.
            environment: Of this process, from `current_environment`.
            initialization_seed: Of the initial weights.
            insecure_seed: Of sampling and noise, for tests.
            tuning: What the trainer declared of tuning.
            command: What was typed.
            plan: The privacy plan.
            recipe: The recipe's file in the run's folder.
            dataset: The data.
            model_file: The file that builds an own model.
        """
        run = secrets.token_hex(16)
        return cls(
            format=_FORMAT,
            run=run,
            data_dir=None if data_dir is None else str(data_dir.absolute()),
            memory_limit=memory_limit,
            destination=str(destination.absolute()),
            engine=engine,
            strategy=strategy,
            replicas=replicas,
            initialization_seed=initialization_seed,
            insecure_seed=insecure_seed,
            tuning=tuning,
            command=command,
            plan=plan,
            recipe_digest=digest_of_file(recipe),
            data_digest=digest_of_data(dataset, run),
            environment=environment,
            model=None,
            model_file=model_file,
        )

    @classmethod
    def read(cls, path: str | Path) -> RunRecord:
        """Reads the record of a run.

        Raises:
            InputError: There is none, or it is damaged.
        """
        path = Path(path)
        try:
            text = path.read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"{path.parent} is not the folder of a run that can go on: it has no {path.name}."
            ) from error
        except OSError as error:
            raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error
        try:
            fields = strict_json.from_text(text)
            # Runs that began before there were own models say nothing of them.
            record = strict_json.decode(cls, {"model_file": None} | fields)
        except (InputError, ValueError, TypeError) as error:
            raise InputError(
                f"The file {path} is damaged or was altered; put back what tfdpzoo wrote."
            ) from error
        if record.format != _FORMAT:
            raise InputError(f"The file {path} was written by another version of tfdpzoo.")
        return record

    def require_same_data(self, dataset: ImageDataset) -> None:
        """Checks that a data set is the one that the run began with.

        Raises:
            InputError: It is not.
        """
        if digest_of_data(dataset, self.run) != self.data_digest:
            raise InputError(
                f"The training data of {dataset.name} is not what the run began with; put it back, "
                "or begin a new run."
            )

    def write(self, path: str | Path) -> None:
        """Writes the record, in the place of an earlier one.

        Raises:
            InputError: It cannot be written.
        """
        text = strict_json.to_text(strict_json.encode(self)) + "\n"
        try:
            replace_durably(path, text.encode())
        except OSError as error:
            raise InputError(f"The file {path} cannot be written: {error.strerror}.") from error


def digest_of_file(path: Path) -> str:
    """Returns the SHA-256 digest of a small file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error


def digest_of_data(dataset: ImageDataset, run: str) -> str:
    """Returns a digest of the training data that differs from run to run.

    So nobody who sees the digests of two runs can tell that they used the same images. Images that
    are read by index have the digest of the same images in memory.

    Raises:
        InputError: An image cannot be read.
    """
    digest = hashlib.blake2b(key=run.encode(), digest_size=32)
    images, labels = dataset.train_images, dataset.train_labels
    digest.update(f"{images.shape} {images.dtype} {dataset.class_names}\n".encode())
    digest.update(labels.tobytes())
    for block in in_blocks(images, max(1, _BYTES_AT_ONCE * len(images) // images.nbytes)):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def current_environment(strategy: tf.distribute.Strategy) -> str:
    """Describes what the bits of an update depend on beside its inputs: software and devices.

    Args:
        strategy: Where it is executed.
    """
    provenance = Provenance.current(hardware=", ".join(accelerators()) or None)
    threads = tf.config.threading
    return "; ".join(
        [
            f"tfdpzoo {provenance.tfdpzoo}",
            f"tensorflow {provenance.tensorflow}",
            f"keras {provenance.keras}",
            provenance.hardware,
            describe(strategy),
            f"threads {threads.get_intra_op_parallelism_threads()} "
            f"{threads.get_inter_op_parallelism_threads()} {len(os.sched_getaffinity(0))}",
            f"oneDNN {os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'default')}",
        ]
    )
