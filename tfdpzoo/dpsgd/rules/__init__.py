"""How the weights of a layer see each example.

Rules are only speed: a layer without one is differentiated by `tf.vectorized_map` over that layer
alone.
"""

from tfdpzoo.dpsgd.rules.registry import Rule, register_expanded_call, register_rule, rule_for

__all__ = ["Rule", "register_expanded_call", "register_rule", "rule_for"]
