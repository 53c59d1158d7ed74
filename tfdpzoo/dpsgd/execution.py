"""How a private step is executed: settings that change its speed, never what it releases."""

from __future__ import annotations

import dataclasses

from tfdpzoo.settings import check_settings, setting

ENGINES = ("fast", "tf-privacy")


@dataclasses.dataclass(frozen=True)
class ExecutionSettings:
    """Settings of performance, kept apart from the plan.

    Attributes:
        chunk: How many examples are differentiated at once; memory grows with it. None chooses the
            number by the memory that there is.
        jit_compile: Whether XLA compiles the gradients of a chunk: `"on"`, `"off"`, or `"auto"` for
            what is faster on the device. True and False stand for on and off.
    """

    chunk: int | None = setting(None, at_least=1)
    jit_compile: str = setting("auto", choices={"way of compiling": ("auto", "on", "off")})

    def __post_init__(self) -> None:
        if isinstance(self.jit_compile, bool):
            object.__setattr__(self, "jit_compile", "on" if self.jit_compile else "off")
        check_settings(self, "execution")
