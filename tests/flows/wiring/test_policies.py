"""A policy is bounded, frozen and described: the dashboard makes a form of it, the server enforces it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from flows.wiring.policies import AuditPolicy, RetrainPolicy, ScorePolicy, SelectPolicy, SyncPolicy

POLICIES = [ScorePolicy, AuditPolicy, SelectPolicy, SyncPolicy, RetrainPolicy]
BOUNDS: dict[tuple[type[BaseModel], str], tuple[int, int]] = {
    (ScorePolicy, "batch_size"): (1, 512),
    (AuditPolicy, "size"): (1, 5000),
    (SelectPolicy, "size"): (1, 5000),
    (SyncPolicy, "retry_after_seconds"): (10, 3600),
    (SyncPolicy, "attempts"): (1, 10),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_defaults_are_a_policy_and_do_not_change(policy: type[BaseModel]) -> None:
    made = policy()
    name = next(iter(policy.model_fields))
    with pytest.raises(ValidationError):
        setattr(made, name, getattr(made, name))
    assert policy.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize("policy", POLICIES)
def test_a_misspelt_name_is_refused(policy: type[BaseModel]) -> None:
    with pytest.raises(ValidationError):
        policy.model_validate({"sise": 3})


@pytest.mark.parametrize("policy", POLICIES)
def test_every_field_is_described_in_the_form(policy: type[BaseModel]) -> None:
    assert all(field.description for field in policy.model_fields.values())


@given(st.data())
def test_a_number_is_taken_exactly_within_its_bounds(data: st.DataObject) -> None:
    (policy, name), (low, high) = data.draw(st.sampled_from(list(BOUNDS.items())))
    value = data.draw(st.integers(low - 50, high + 50))
    if low <= value <= high:
        assert getattr(policy.model_validate({name: value}), name) == value
    else:
        with pytest.raises(ValidationError):
            policy.model_validate({name: value})
