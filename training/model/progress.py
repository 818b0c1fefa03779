"""Reports the progress of a training, and silences what transformers prints by itself.

By default transformers reports a new head as a fault, and draws progress bars into log files.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[float, str], None]
"""A function of the share of the work that is done, 0 to 1, and a sentence."""


def reporter(progress: Progress) -> Any:
    """A Trainer callback that calls `progress` at each step. Its class is made here: the base class imports slowly."""
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
    """Inside, transformers logs errors only, and draws progress bars on a terminal only."""
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
