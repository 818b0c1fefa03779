"""Puts the project's own sample where the rooms look for seed data, when that is what the settings ask for."""

from pathlib import Path

from flows.wiring.parts import Parts
from training.data.sample.writer import TEXTS_FILE, write_sample


def seed_path(parts: Parts) -> Path:
    """The folder or file of the seed data, made ready: fetched from the hub, or the sample written into the home."""
    if parts.settings.seed_data == "sample":
        write_sample(parts.sample_folder, parts.scheme)
    return parts.seed_path()


def sample_texts(parts: Parts) -> Path:
    """The sample's production texts, a CSV with an answer key."""
    write_sample(parts.sample_folder, parts.scheme)
    return parts.sample_folder / TEXTS_FILE
