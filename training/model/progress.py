"""What a long run of transformers tells: our own progress to whoever listens, and nothing else.

Left alone it announces a new head as a fault and draws bars into log files.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and a sentence."""


def reporter(progress: Progress) -> Any:
    """A Trainer callback that tells `progress` of each step; made here since its base class is slow to import."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step / state.max_steps, f"step {state.global_step} of {state.max_steps}")

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
            epoch = f"epoch {state.epoch:.0f} of {args.num_train_epochs}"
            message = f"{epoch}: validation macro-F1 {metrics['eval_macro_f1']:.3f}"
            progress(state.global_step / state.max_steps, message)

    return Reporter()


@contextmanager
def silence() -> Iterator[None]:
    """Only errors of transformers are told inside, and bars are drawn only where somebody watches a terminal."""
    from transformers.utils import logging as announcements

    before, bars = announcements.get_verbosity(), announcements.is_progress_bar_enabled()
    announcements.set_verbosity(logging.ERROR)
    if not sys.stderr.isatty():
        announcements.disable_progress_bar()
    try:
        yield
    finally:
        announcements.set_verbosity(before)
        if bars:
            announcements.enable_progress_bar()
