"""The registry of models: a folder `saved_models/NAME/VERSION/`, and what is derived from it.

The folders are the truth; aliases lie in them, and an index is only a copy of what they say. The
layout is TensorFlow Serving's, which passes over every entry that is not a whole number.
"""
