"""The private step: sampling, per-example gradients, clipping, noise. Knows no model by name."""
