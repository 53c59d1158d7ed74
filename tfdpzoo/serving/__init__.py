"""Served models: talking to TensorFlow Serving."""
