"""Measured claims: a private training step side by side with ordinary ones and with peers.

Not part of the installed package. `python -m benchmarks.step` compares our private step with the
ordinary one; `python -m benchmarks` compares with TF-Privacy, Opacus and JAX-Privacy as well and
writes `docs/benchmarks.md`.
"""
