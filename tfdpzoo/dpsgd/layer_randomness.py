"""Random numbers that layers draw themselves, such as the masks of Dropout."""

from __future__ import annotations

import keras

from tfdpzoo.dpsgd.per_example import seed_generators
from tfdpzoo.dpsgd.secret_key import SecretKey

_STREAM = "layers"
# Keras uses 31 bits of each of a generator's two numbers.
_NUMBERS = 2**31 - 1


def draw_from_secret(model: keras.Model, key: SecretKey) -> None:
    """Lets the layers that draw random numbers draw them from a secret.

    They draw for a place in a batch, and an example more moves others by a place. If the draws were
    known, all of these would change what they add; as secret as the noise they are as good for one
    place as for another, and only the example itself counts. Keras seeds them with few bits, and
    with none that are secret after `keras.utils.set_random_seed`.

    Args:
        model: The model, whose generators are set anew.
        key: The secret.
    """
    for index, generator in enumerate(seed_generators(model)):
        seed = key.derive(_STREAM, index)
        generator.state.assign([seed % _NUMBERS, (seed >> 64) % _NUMBERS])
