from deployments.local.data import sample_texts, seed_path
from flows.wiring.parts import Parts
from storage.texts.csv import read_texts


def test_the_sample_is_written_where_the_rooms_look_for_it(parts: Parts) -> None:
    own = Parts(parts.settings.model_copy(update={"seed_data": "sample"}))
    assert seed_path(own) == own.seed_path()
    assert len(own.seed.rows) >= 600
    assert len(read_texts(sample_texts(own), own.scheme).rows) >= 2000


def test_a_folder_of_ones_own_is_not_written_to(parts: Parts) -> None:
    folder = seed_path(parts)
    assert [path.name for path in folder.iterdir()] == ["Sentences_50Agree.txt"]
    assert len(parts.seed.rows) == 90
