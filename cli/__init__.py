"""The command line: it reads what was typed, calls the library and prints.

Nothing here imports TensorFlow before a command needs it.
"""
