"""What is claimed about a training run, and how the claim is computed. Imports no TensorFlow."""
