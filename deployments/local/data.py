"""Puts the project's own sample where the rooms look for a PhraseBank, when that is what the settings ask for."""

from pathlib import Path

from flows.wiring.parts import Parts
from storage.scheme import DEFAULT, find_scheme
from training.data.sample.writer import write_sample


def phrasebank_folder(parts: Parts) -> Path:
    """The PhraseBank's folder, made ready: fetched from the hub, or the sample written into the home."""
    folder = parts.phrasebank_folder()
    if parts.settings.phrasebank == "sample":
        write_sample(folder, find_scheme(DEFAULT))
    return folder


def sample_texts(parts: Parts) -> Path:
    """The sample's production texts, a CSV with an answer key."""
    folder = parts.settings.home.resolve() / "sample"
    write_sample(folder, find_scheme(DEFAULT))
    return folder / "texts.csv"
