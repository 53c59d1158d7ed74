"""Hypermodels that fail in the process of their trial, in ways that the rate stands for."""

from __future__ import annotations

import os
import signal
import time

import keras
import keras_tuner
from small_searches import dense

WAYS = ("none", "raise", "kill", "no model", "wait")


def failing(parameters: keras_tuner.HyperParameters) -> keras.Model:
    """A linear model, or what the hyper-parameter `way` says."""
    way = parameters.Choice("way", list(WAYS))
    if way == "raise":
        raise ValueError("3 is no number of layers")
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "wait":
        time.sleep(600)
    if way == "no model":
        return None
    return dense(parameters)
