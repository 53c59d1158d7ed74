"""The gallery: a static site of all registered models, which needs neither server nor network."""
