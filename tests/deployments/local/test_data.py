from deployments.local.data import phrasebank_folder, sample_texts
from flows.wiring.parts import Parts
from storage.texts.csv import read_texts
from tests.schemes import SENTIMENT


def test_the_sample_is_written_where_the_rooms_look_for_it(parts: Parts) -> None:
    own = Parts(parts.settings.model_copy(update={"phrasebank": "sample"}))
    assert phrasebank_folder(own) == own.phrasebank_folder()
    assert len(own.phrasebank.rows) >= 600
    assert len(read_texts(sample_texts(own), SENTIMENT).rows) >= 2000


def test_a_folder_of_ones_own_is_not_written_to(parts: Parts) -> None:
    folder = phrasebank_folder(parts)
    assert [path.name for path in folder.iterdir()] == ["Sentences_50Agree.txt"]
    assert len(parts.phrasebank.rows) == 90
