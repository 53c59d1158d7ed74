"""Serving with TensorFlow Serving: its configuration, and clients of its REST and gRPC APIs.

A client asks a running server for the classes of images and for the model's own privacy guarantee.
It needs neither the model's files nor, over REST, TensorFlow.
"""
