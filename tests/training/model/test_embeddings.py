"""An embedding is the mean of a text's last hidden states, whatever shares its batch and whatever the architecture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from tests.schemes import LABELS
from tests.training.model.architectures import CONFIGS, write_base
from training.model.classifier import Classifier, NoEmbeddings

TEXTS = ["profit rose", "the company said that net sales fell sharply in the quarter", "loss"]


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    return Classifier.load(tiny_model, LABELS, device="cpu")


def test_an_embedding_is_the_mean_of_the_last_hidden_states_of_the_encoder(
    classifier: Classifier, tiny_model: Path
) -> None:
    tokenizer, encoder = AutoTokenizer.from_pretrained(tiny_model), AutoModel.from_pretrained(tiny_model).eval()
    with torch.inference_mode():
        alone = [encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0) for text in TEXTS]
    found = classifier.embed(TEXTS)
    assert found.dtype == np.float32
    assert np.allclose(found, torch.stack(alone).numpy(), atol=1e-5)


def test_one_look_gives_the_predictions_and_the_embeddings(classifier: Classifier) -> None:
    predicted, embeddings = classifier.look(TEXTS, batch_size=2)
    assert np.allclose(predicted.logits, classifier.predict(TEXTS).logits, atol=1e-5)
    assert np.allclose(embeddings, classifier.embed(TEXTS), atol=1e-5)


def test_no_texts_give_no_embeddings_of_as_many_dimensions(classifier: Classifier) -> None:
    assert classifier.embed([]).shape == (0, classifier.embed(TEXTS).shape[1])


@pytest.mark.parametrize("architecture", CONFIGS)
def test_texts_of_every_architecture_have_embeddings_that_padding_does_not_change(
    architecture: str, tmp_path: Path
) -> None:
    base = write_base(tmp_path / "base", architecture)
    tokenizer = AutoTokenizer.from_pretrained(base)
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {name: at for at, name in enumerate(LABELS)}}
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(LABELS), pad_token_id=tokenizer.pad_token_id, **names
    )
    classifier = Classifier(model, tokenizer, LABELS, "cpu")
    together = classifier.embed(TEXTS)
    assert together.shape[1] == classifier.embed([]).shape[1]
    assert np.allclose(np.concatenate([classifier.embed([text]) for text in TEXTS]), together, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) == len(TEXTS)


class Stateless(torch.nn.Module):
    """A classifier whose output has logits alone."""

    def __init__(self, whole: torch.nn.Module) -> None:
        super().__init__()
        self.whole, self.config = whole, whole.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: object) -> object:
        return self.whole(input_ids=input_ids, attention_mask=attention_mask)


def test_a_model_without_hidden_states_is_named(tiny_model: Path) -> None:
    whole = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    classifier = Classifier(Stateless(whole), AutoTokenizer.from_pretrained(tiny_model), LABELS, "cpu")
    assert len(classifier.predict(TEXTS).logits) == len(TEXTS)
    with pytest.raises(NoEmbeddings, match="bert gives no hidden states"):
        classifier.embed(TEXTS)
