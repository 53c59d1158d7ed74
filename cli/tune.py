"""`tfdpzoo tune`: a search for settings within one privacy budget, and the model that it finds."""

from __future__ import annotations

_GIVEN_AGAIN = frozenset({"resume", "data_dir", "memory_limit", "record", "alias", "as_json"})
"""What may be typed beside --resume; a search goes on as it began."""
