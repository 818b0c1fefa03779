"""Writes the sample of the label scheme into the home, where the settings ask for the sample."""

from pathlib import Path

from flows.wiring.parts import Parts
from training.data.sample.writer import TEXTS_FILE, write_sample


def seed_path(parts: Parts) -> Path:
    """The folder or file of the seed data, ready to be read: downloaded from the hub, or the sample, just written."""
    if parts.settings.seed_data == "sample":
        write_sample(parts.sample_folder, parts.scheme)
    return parts.seed_path()


def sample_texts(parts: Parts) -> Path:
    """The sample's production texts, a CSV with an answer key."""
    write_sample(parts.sample_folder, parts.scheme)
    return parts.sample_folder / TEXTS_FILE
