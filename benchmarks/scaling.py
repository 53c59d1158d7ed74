"""An estimate of our update on many GPUs, from counted operations and assumed speeds."""

from __future__ import annotations

from dataclasses import dataclass

# Forward, and backward to inputs and to weights.
PASSES = 3
# A private step beside an ordinary one, as measured on a CPU.
PRIVATE = 1.2
# Assumed of a GPU, in operations a second: three tenths of what an H100 can do in float32.
OPERATIONS = 20e12
# Assumed of the parts of an update that do not shrink: starting kernels, noise, the optimizer.
FIXED_SECONDS = 10e-3
# Assumed in bytes a second: within a machine of 8 GPUs, and between machines (200 Gbit/s).
WITHIN_MACHINE, BETWEEN_MACHINES = 200e9, 25e9
GPUS_OF_A_MACHINE = 8


@dataclass(frozen=True)
class Workload:
    """What an update computes.

    Attributes:
        model: Its name.
        parameters: How many numbers are summed over replicas.
        operations: Additions and multiplications of one example's forward pass.
        batch: The expected batch.
    """

    model: str
    parameters: int
    operations: float
    batch: int


WORKLOADS = (
    Workload("SmoothNet W80D50", 3_391_853, 2.118e9, 4096),
    Workload("Equivariant ResNet-9", 255_675, 0.4226e9, 8192),
)
"""Of CIFAR-10; operations by TensorFlow's profiler, batches of some thousands as is usual."""


@dataclass(frozen=True)
class Estimate:
    """The parts of an update on some GPUs, in seconds.

    Attributes:
        gpus: How many.
        computing: Gradients of a GPU's share.
        adding_up: The sum over all GPUs.
        fixed: What does not depend on how many there are.
    """

    gpus: int
    computing: float
    adding_up: float
    fixed: float = FIXED_SECONDS

    @property
    def seconds(self) -> float:
        """Of an update."""
        return self.computing + self.adding_up + self.fixed


def estimate(workload: Workload, gpus: int) -> Estimate:
    """Estimates an update on one GPU, on some of a machine, or on whole machines of 8.

    A ring of n members sends 2 (n - 1) / n of the gradient over each connection (Patarasuk and
    Yuan, "Bandwidth optimal all-reduce algorithms", 2009): within each machine, then between them.

    Example:
        >>> workload = Workload("a model", 1_000_000, 1e9, 4096)
        >>> [round(estimate(workload, gpus).seconds, 4) for gpus in (1, 8, 64)]
        [0.7473, 0.1022, 0.0218]
    """
    within = min(gpus, GPUS_OF_A_MACHINE)
    machines = gpus // within
    computing = workload.batch / gpus * workload.operations * PASSES * PRIVATE / OPERATIONS
    gradient = 4.0 * workload.parameters
    adding_up = _ring(within) * gradient / WITHIN_MACHINE
    adding_up += _ring(machines) * gradient / BETWEEN_MACHINES
    return Estimate(gpus, computing, adding_up)


def _ring(members: int) -> float:
    return 2 * (members - 1) / members
