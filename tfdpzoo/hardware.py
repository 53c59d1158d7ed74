"""What trains: the accelerators that TensorFlow can use."""

from __future__ import annotations

import collections

import tensorflow as tf


def accelerators() -> list[str]:
    """Returns the names of the GPUs that TensorFlow uses, equal ones together; empty without any.

    Example:
        >>> accelerators()  # doctest: +SKIP
        ['2 x NVIDIA H200']
    """
    devices = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in devices
    ]
    return [
        name if count == 1 else f"{count} x {name}"
        for name, count in collections.Counter(names).items()
    ]
