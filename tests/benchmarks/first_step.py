"""The end of a training after its first step."""

from __future__ import annotations

import os

from ignite.engine import Engine, Events


class FirstStep:
    """Ends the process at once, without writing or tidying."""

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        os._exit(0)
