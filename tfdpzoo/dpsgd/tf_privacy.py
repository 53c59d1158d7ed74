"""TF-Privacy's optimizer factory, on a TensorFlow that TF-Privacy itself does not import on."""

from __future__ import annotations

import sys

# TF-Privacy 0.9.0 imports TensorFlow's estimators, which ended with TensorFlow 2.15. It skips that
# when this attribute exists before its first import; what the optimizer needs is imported all the
# same.
if not hasattr(sys, "skip_tf_privacy_import"):
    sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]

from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized import (
    make_vectorized_keras_optimizer_class,
)

__all__ = ["make_vectorized_keras_optimizer_class"]
