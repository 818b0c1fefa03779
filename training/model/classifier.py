"""Loads, runs and saves a trained model without the Trainer, so that serving imports no more than it needs.

Labels are matched by name, never by a model's own order. A prediction is exact (float32) unless the caller asks for
Precision.FAST: a text has the same exact prediction in service and offline, whichever texts share its batch. So what is
served, what the gate judges and what a report rests on is exact. Only `flows/steps/score.py` asks for FAST, to find the
texts to ask about, and only after its predictions of a sample were close to the exact ones (`precision.Agreement`).
A fast prediction depends a little on what shares its batch.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from storage.errors import BadInput
from storage.records import Prediction
from training.model.precision import Precision, computing, sharing_copy
from training.model.progress import silence
from training.model.reading import Encoded, encode, inputs_of, padded, reading_of, tokens_read
from training.model.soundness import load_tokenizer

Logits = npt.NDArray[np.float32]
"""(texts, labels), unnormalised."""
Probabilities = npt.NDArray[np.float32]
"""(texts, labels), rows summing to one."""
Embeddings = npt.NDArray[np.float32]
"""(texts, dimensions)."""
BATCH = 32
"""Texts in one forward pass; on a processor, larger batches leave its caches and are no faster."""

_drawing = threading.Lock()  # the random numbers of dropout come from one generator of the whole process


@dataclass(frozen=True, slots=True)
class Predicted:
    """A model's predictions for some texts: one row a text, in the order of the texts.

    `labels` names the columns.
    """

    labels: tuple[str, ...]
    logits: Logits
    probabilities: Probabilities
    truncated: npt.NDArray[np.bool_]
    """(texts,): whether the model read only a part of the text."""

    def rows(self, start: int, stop: int) -> Self:
        """The predictions of some of the texts."""
        part = slice(start, stop)
        return replace(
            self, logits=self.logits[part], probabilities=self.probabilities[part], truncated=self.truncated[part]
        )

    @property
    def answers(self) -> tuple[str, ...]:
        """The likeliest label of each text."""
        return tuple(self.labels[column] for column in self.probabilities.argmax(axis=1).tolist())

    @classmethod
    def joined(cls, pieces: Sequence[Self]) -> Self:
        """The predictions of one model in several pieces (at least one), as one."""
        if len(pieces) == 1:
            return pieces[0]
        columns = ("logits", "probabilities", "truncated")
        return cls(pieces[0].labels, *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in columns))


class NoEmbeddings(BadInput):
    """The architecture of a model gives no hidden states."""


class Classifier:
    """A loaded model in evaluation mode. Safe to use from several threads."""

    def __init__(self, model: Any, tokenizer: Any, labels: Sequence[str], device: str) -> None:
        self.device = device
        self._model = model.to(device=device, dtype=torch.float32).eval()
        self._tokenizer = tokenizer
        self._labels = tuple(labels)
        self._columns = label_columns(model.config.id2label, labels)
        self._inputs = inputs_of(model)
        self._max_tokens, self._reading = tokens_read(model), reading_of(model.config)
        self._tokenizing = threading.Lock()  # a fast tokenizer keeps truncation as state: two threads would clash

    @classmethod
    def load(cls, folder: Path, labels: Sequence[str], device: str | None = None) -> Self:
        """Load a folder of safetensors, configuration and tokenizer; code in the folder is never run.

        The model must have these `labels`; their order is that of the columns. Raises BadInput where the folder is no
        classifier, lacks weights (a base model has no trained head) or has other labels. Sums are checked by the
        registry, not here.
        """
        from safetensors import SafetensorError
        from transformers import AutoModelForSequenceClassification

        if not (folder / "config.json").is_file():
            raise BadInput(f"{folder} is not a model: it has no config.json")
        try:
            with silence():
                model, loading = AutoModelForSequenceClassification.from_pretrained(
                    folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, local_files_only=True,
                    output_loading_info=True,
                )  # fmt: skip
            tokenizer = load_tokenizer(folder, str(folder), part=None)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise BadInput(f"{folder} cannot be loaded as a classifier: {error}") from error
        absent = sorted(loading["missing_keys"])
        if absent:
            raise BadInput(f"{folder} is not a trained classifier: its weights lack {', '.join(absent[:3])}")
        return cls(model, tokenizer, labels, device or choose_device())

    def predict(
        self, texts: Sequence[str], batch_size: int = BATCH, precision: Precision = Precision.EXACT
    ) -> Predicted:
        """Logits and probabilities of `texts`. Texts of similar length share a batch of at most `batch_size`."""
        encoded = self._encode(texts)
        logits = np.zeros((len(texts), len(self._labels)), dtype=np.float32)
        with computing(self._model, precision, self.device) as model:
            for chosen, inputs in self._batches(encoded, batch_size):
                logits[chosen] = self._logits(model(**inputs))
        return self._predicted(encoded, logits)

    def look(
        self, texts: Sequence[str], batch_size: int = BATCH, precision: Precision = Precision.EXACT
    ) -> tuple[Predicted, Embeddings]:
        """The predictions and the embeddings of `texts`, in one pass. Raises NoEmbeddings without hidden states."""
        encoded = self._encode(texts)
        logits = np.zeros((len(texts), len(self._labels)), dtype=np.float32)
        embeddings: Embeddings | None = None
        with computing(self._model, precision, self.device) as model:
            for chosen, inputs in self._batches(encoded, batch_size):
                output = model(**inputs, output_hidden_states=True)
                logits[chosen] = self._logits(output)
                means = self._pooled(output, inputs["attention_mask"])
                if embeddings is None:
                    embeddings = np.zeros((len(texts), means.shape[1]), dtype=np.float32)
                embeddings[chosen] = means
        if embeddings is None:  # without a text, nothing says how many dimensions there are
            embeddings = np.zeros((0, self._model.config.hidden_size), dtype=np.float32)
        return self._predicted(encoded, logits), embeddings

    def embed(
        self, texts: Sequence[str], batch_size: int = BATCH, precision: Precision = Precision.EXACT
    ) -> Embeddings:
        """The mean of the encoder's last hidden states over the tokens of each text, padding left out."""
        return self.look(texts, batch_size, precision)[1]

    def predict_with_dropout(
        self,
        texts: Sequence[str],
        passes: int,
        seed: int,
        batch_size: int = BATCH,
        precision: Precision = Precision.EXACT,
    ) -> Probabilities:
        """Probabilities with dropout, (passes, texts, labels): how they vary between passes shows the model's doubt.

        The same seed, texts and batch size give the same numbers. The model itself stays in evaluation mode: a copy
        that shares its weights drops, so that other threads predict meanwhile. Gal and Ghahramani 2016.
        """
        encoded = self._encode(texts)
        logits = np.zeros((passes, len(texts), len(self._labels)), dtype=np.float32)
        dropping = sharing_copy(self._model).train()
        gpus = [torch.cuda.current_device()] if self.device == "cuda" else []
        with _drawing, torch.random.fork_rng(gpus), computing(dropping, precision, self.device) as model:
            torch.manual_seed(seed)
            for one in logits:
                for chosen, inputs in self._batches(encoded, batch_size):
                    one[chosen] = self._logits(model(**inputs))
        return softmax(logits)

    def save(self, folder: Path) -> None:
        """Write configuration, tokenizer and weights (safetensors only) into `folder`, which is made if need be."""
        with silence():
            self._model.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    def _encode(self, texts: Sequence[str]) -> Encoded:
        with self._tokenizing:
            return encode(self._tokenizer, texts, self._max_tokens, self._reading)

    def _batches(self, encoded: Encoded, size: int) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """(the texts' positions, the model's inputs) of each batch, the longest texts first.

        Padding is masked, so that it changes nothing beyond rounding.
        """
        columns = encoded.columns
        longest_first = sorted(range(len(encoded.truncated)), key=lambda index: -len(columns["input_ids"][index]))
        for start in range(0, len(longest_first), size):
            chosen = longest_first[start : start + size]
            batch = padded(self._tokenizer, {name: [rows[index] for index in chosen] for name, rows in columns.items()})
            yield (
                chosen,
                {name: torch.tensor(rows, device=self.device) for name, rows in batch.items() if name in self._inputs},
            )

    def _logits(self, output: Any) -> Logits:
        logits: npt.NDArray[np.float32] = output.logits.float().cpu().numpy()
        ordered: Logits = logits[:, self._columns]
        return ordered

    def _pooled(self, output: Any, mask: torch.Tensor) -> Embeddings:
        """The mean state of each text's tokens. Of an encoder with a decoder (T5, BART), the encoder's states count."""
        layers = getattr(output, "encoder_hidden_states", None) or getattr(output, "hidden_states", None)
        if not layers:
            raise NoEmbeddings(
                f"the model {self._model.config.model_type} gives no hidden states: texts have no embeddings"
            )
        weights = mask.unsqueeze(-1).float()
        means: Embeddings = ((layers[-1].float() * weights).sum(dim=1) / weights.sum(dim=1)).cpu().numpy()
        return means

    def _predicted(self, encoded: Encoded, logits: Logits) -> Predicted:
        return Predicted(self._labels, logits, softmax(logits), np.array(encoded.truncated, dtype=bool))


def choose_device() -> str:
    """cuda where PyTorch sees a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def label_columns(id2label: Mapping[int, str], labels: Sequence[str]) -> list[int]:
    """The model's column of each label, by name in upper or lower case. Raises BadInput where a name differs."""
    columns = {name.strip().casefold(): index for index, name in id2label.items()}
    wanted = [label.casefold() for label in labels]
    if len(id2label) != len(wanted) or set(columns) != set(wanted):
        names = ", ".join(id2label[index] for index in sorted(id2label))
        raise BadInput(f"the model's labels are {names}; the label scheme needs {', '.join(labels)} by name")
    return [columns[label] for label in wanted]


def softmax(logits: Logits) -> Probabilities:
    """Probabilities over the last axis, computed in float64."""
    from scipy import special

    rows: Probabilities = special.softmax(logits.astype(np.float64), axis=-1).astype(np.float32)
    return rows


def to_predictions(predicted: Predicted, version: str, when: datetime) -> list[Prediction]:
    """The predictions as records. Margin is the gap between the two highest scores: small where the model is unsure."""
    return [
        _prediction(predicted.labels, logits, scores, version, when)
        for logits, scores in zip(predicted.logits.tolist(), predicted.probabilities.tolist(), strict=True)
    ]


def _prediction(
    labels: tuple[str, ...], logits: list[float], scores: list[float], version: str, when: datetime
) -> Prediction:
    ranked = sorted(range(len(labels)), key=lambda index: -scores[index])
    return Prediction(
        label=labels[ranked[0]],
        scores=dict(zip(labels, scores, strict=True)),
        logits=dict(zip(labels, logits, strict=True)),
        confidence=scores[ranked[0]],
        margin=scores[ranked[0]] - scores[ranked[1]],
        model_version=version,
        predicted_at=when,
    )
