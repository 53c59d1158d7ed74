"""How a private step is executed: settings that change its speed, never what it releases."""

from __future__ import annotations

import dataclasses

from tfdpzoo.errors import InputError

DEFAULT_CHUNKS = {"fast": 64, "tf-privacy": 16}


@dataclasses.dataclass(frozen=True)
class ExecutionSettings:
    """Settings of performance, kept apart from the plan.

    Attributes:
        chunk: How many examples are differentiated at once; memory grows with it. None takes the
            engine's default.
        jit_compile: Whether XLA compiles the step; on a CPU it is slower.
    """

    chunk: int | None = None
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if self.chunk is None:
            return
        if not isinstance(self.chunk, int) or isinstance(self.chunk, bool) or self.chunk < 1:
            raise InputError(
                f"chunk is {self.chunk!r}; it must be a whole number of examples, at least one."
            )

    def chunk_for(self, engine: str) -> int:
        """Returns the chunk to use with an engine."""
        return self.chunk or DEFAULT_CHUNKS[engine]
