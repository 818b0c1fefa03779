"""Sets the learning rate of each parameter, because a new head has more to learn than the pretrained layers below."""

from typing import Any


def parameter_groups(
    model: Any, new: frozenset[str], rate: float, *, head_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: those in `new` learn at `head_rate` times `rate`; biases and norms do not decay.

    Discriminative fine-tuning (Howard and Ruder 2018, "Universal Language Model Fine-tuning"), with two rates instead
    of one for each layer. Groups without a parameter are left out.
    """
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (rate * head_rate if name in new else rate, weight_decay if parameter.ndim > 1 else 0.0)
            groups.setdefault(key, []).append(parameter)
    return [{"params": members, "lr": lr, "weight_decay": decay} for (lr, decay), members in groups.items()]
