"""Says in which precision a model computes on this machine, and whether the fast precision predicts as the exact one.

bf16 keeps 8 bits of each number and is two to three times as fast as float32, but only where the hardware multiplies
it: on a processor without AVX-512 bf16, every library calls bf16 supported, yet it takes twice the time of float32.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from training.model.classifier import Predicted

DIFFERING = 0.001
"""Share of the texts whose label may differ between the two precisions; one text may differ however few they are."""
TAU = 0.99
"""Lowest Kendall's tau between the two orders of confidence: the order decides what annotators are asked."""
GAP = 0.05
"""Largest difference of any probability."""


class Precision(StrEnum):
    """How a model computes. FAST is EXACT where the hardware does not multiply bf16."""

    EXACT = "exact"
    FAST = "fast"


def bf16_pays(device: str) -> bool:
    """Whether this GPU or processor multiplies bf16 in hardware; emulated bf16 is slower than float32."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def computing(model: Any, precision: Precision, device: str) -> Iterator[Any]:
    """The model to run in this precision, in inference mode; the given model's weights stay float32 in every thread."""
    import torch

    with torch.inference_mode():
        if precision is Precision.EXACT or not bf16_pays(device):
            yield model
        else:
            with torch.autocast(device, dtype=torch.bfloat16):
                yield _with_bf16_layers(model)


def sharing_copy(model: Any) -> Any:
    """A copy of the model that shares its weights, so that a change of the copy's modules is seen by nobody else."""
    return copy.deepcopy(model, {id(one): one for one in (*model.parameters(), *model.buffers())})


def _with_bf16_layers(model: Any) -> Any:
    """A copy with the weights of the linear layers in bf16; the copy shares all other weights with the model.

    autocast gives the same answers without the copy, but converts the weights again for each batch, because autocast
    keeps converted weights only where gradients are wanted. With the copy, a MiniLM predicts 1.2 times the texts.
    """
    import torch
    from torch import nn

    quick = sharing_copy(model)
    for layer in quick.modules():
        if isinstance(layer, nn.Linear):  # new parameters: Module.to would change the shared ones in place
            for name, weights in list(layer.named_parameters(recurse=False)):
                setattr(layer, name, nn.Parameter(weights.to(torch.bfloat16), requires_grad=False))
    return quick


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close the fast predictions of some texts are to the exact ones."""

    texts: int
    differing: int
    """Texts with another label."""
    tau: float
    """Kendall's tau of the two orders of confidence; 1 where there is no order to compare."""
    gap: float
    """The largest difference of any probability."""

    @property
    def close(self) -> bool:
        """Whether the fast predictions may stand for the exact ones; never where a number is not finite."""
        few = self.differing <= max(1, DIFFERING * self.texts)
        return few and self.tau >= TAU and self.gap <= GAP

    def __str__(self) -> str:
        said = f"{self.differing} of {self.texts:,} labels differ, Kendall's tau of the confidences is {self.tau:.4f}"
        return f"{said}, and the largest difference of a probability is {self.gap:.3f}"


def agreement(exact: "Predicted", fast: "Predicted") -> Agreement:
    """Compare two predictions of the same texts by the same model."""
    from scipy.stats import kendalltau

    one, other = exact.probabilities, fast.probabilities
    if not len(one):
        return Agreement(0, 0, 1.0, 0.0)
    differing = int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
    confidences = one.max(axis=1), other.max(axis=1)
    ordered = all(len(np.unique(some)) > 1 for some in confidences)
    tau = float(kendalltau(*confidences).statistic) if ordered else float(np.array_equal(*confidences))
    return Agreement(len(one), differing, tau, float(np.abs(one - other).max()))
