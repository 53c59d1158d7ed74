"""How many trials Hyperband runs, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass

from keras_tuner.oracles import HyperbandOracle


@dataclass(frozen=True)
class HalvingSchedule:
    """What KerasTuner's Hyperband runs, whatever the scores are.

    Trials train from their first update on: what an earlier round trained is not continued, and
    each round has a schedule of the learning rate of its own.

    Attributes:
        trials: How many there are.
        longest_trials: To how many trials of the longest kind they amount together.

    Example:
        >>> HalvingSchedule.of(HyperbandOracle("accuracy", max_epochs=9, factor=3))
        HalvingSchedule(trials=23, longest_trials=9.666666666666666)
    """

    trials: int
    longest_trials: float

    @classmethod
    def of(cls, oracle: HyperbandOracle) -> HalvingSchedule:
        """Returns the schedule of an oracle.

        Args:
            oracle: As it was made.
        """
        rounds = [
            (oracle._get_size(bracket, number), oracle._get_epochs(bracket, number))
            for bracket in range(oracle._get_num_brackets())
            for number in range(oracle._get_num_rounds(bracket))
        ]
        times = oracle.hyperband_iterations
        epochs = times * sum(size * epochs for size, epochs in rounds)
        return cls(
            trials=times * sum(size for size, _ in rounds),
            longest_trials=epochs / oracle.max_epochs,
        )


def share_of_epochs(oracle: HyperbandOracle, settings: dict[str, object]) -> float:
    """Returns what share of the longest trial's epochs a proposed trial has.

    Args:
        oracle: Any oracle; all but Hyperband give every trial all of its epochs.
        settings: The proposal.
    """
    epochs = settings.get("tuner/epochs")
    return 1.0 if epochs is None else float(epochs) / oracle.max_epochs  # type: ignore[arg-type]
