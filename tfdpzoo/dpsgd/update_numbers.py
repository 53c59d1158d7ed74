"""The numbers of updates: which comes next, and which are in the ledger."""

from __future__ import annotations

import keras

from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger


class UpdateNumbers:
    """Numbers the updates of a model, so that no noise is used twice and none goes uncounted.

    A callback that puts back earlier weights puts back `executed`, too. The next updates would be
    made with noise that was used before, and the difference of two updates with the same noise has
    none. So the number of the next update is kept apart from the weights.

    Args:
        plan: How many updates are allowed.
        ledger: Where they are recorded; those that it has already were executed before.

    Attributes:
        executed: How many updates the weights have seen; one of the model's variables.
        next: The number of the update that comes next.
        goes_on: Whether a run of an earlier process goes on.
    """

    def __init__(self, plan: PrivacyPlan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._was_past_the_ledger = False
        self.executed = whole_number(ledger.updates, "executed_updates")
        self.next = ledger.updates
        self.goes_on = False

    @property
    def any_left(self) -> bool:
        """Whether there is an update that the plan still allows, or one to repeat."""
        return self.next < self._ledger.updates or self._ledger.updates < self._plan.updates

    @property
    def past_the_ledger(self) -> bool:
        """Whether updates were executed that the ledger did not count."""
        return self._was_past_the_ledger or self._executed > self._ledger.updates

    def begin(self) -> None:
        """Numbers the next update, and counts it in the ledger before it is executed.

        Raises:
            InputError: The plan has no more updates, or the ledger cannot be written.
        """
        executed = self._executed
        if executed > max(self.next, self._ledger.updates):
            self._was_past_the_ledger = True
        if not self.any_left:
            raise InputError(f"All {self._plan.updates} updates of the plan have been executed.")
        update = max(executed, self.next)
        self.executed.assign(update)
        if update >= self._ledger.updates:
            self._ledger.record(self._plan.noise_multiplier, self._plan.sampling_rate)
        self.next = update + 1

    def go_on_from(self, update: int) -> None:
        """Says which update comes next, see `PrivateModel.go_on_from`.

        Args:
            update: From 0 to the number of updates in the ledger.

        Raises:
            InputError: The ledger does not count all updates before it.
        """
        if not 0 <= update <= self._ledger.updates:
            raise InputError(
                f"Training cannot go on from update {update}: the ledger counts "
                f"{self._ledger.updates}."
            )
        self.executed.assign(update)
        self.next = update
        self.goes_on = True

    @property
    def _executed(self) -> int:
        return int(self.executed.numpy())


def whole_number(start: int, name: str) -> keras.Variable:
    """Returns a variable for a whole number that all replicas count alike.

    Args:
        start: Its first value.
        name: Its name.
    """
    return keras.Variable(
        start, dtype="int64", trainable=False, aggregation="only_first_replica", name=name
    )
