"""Exported models in other formats, each with the privacy record of the weights in it.

A conversion begins with a SavedModel that verifies and ends with a file that computes the same. The
record speaks of weights; what binds it to them is a digest of the SavedModel, which a converter's
file no longer has. So every file says which weights it was made from, and how to check it.
"""
