"""The models, one folder each, and the catalogue that finds them."""

from tfdpzoo.zoo.catalog import ZooEntry, build, entry, names, recipe

__all__ = ["ZooEntry", "build", "entry", "names", "recipe"]
