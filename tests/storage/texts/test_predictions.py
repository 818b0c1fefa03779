import json
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from storage.records import Prediction
from storage.texts.predictions import prediction_from_json, prediction_to_json
from tests.schemes import LABELS

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMED = st.dictionaries(st.text(min_size=1), NUMBERS, min_size=2, max_size=20)
ZONES = st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours)))
TIMES = st.datetimes(min_value=datetime(1970, 1, 2), timezones=ZONES)
PREDICTIONS = st.builds(Prediction, st.sampled_from(LABELS), NAMED, NAMED, NUMBERS, NUMBERS, st.text(), TIMES)


@given(st.none() | PREDICTIONS)
def test_a_prediction_survives_json_to_the_last_bit(prediction: Prediction | None) -> None:
    assert prediction_from_json(json.loads(json.dumps(prediction_to_json(prediction)))) == prediction


@given(PREDICTIONS)
def test_scores_and_logits_go_by_name_and_not_by_position(prediction: Prediction) -> None:
    value = prediction_to_json(prediction)
    assert value is not None
    for field in ("scores", "logits"):
        value[field] = dict(reversed(value[field].items()))
    assert prediction_from_json(value) == prediction
