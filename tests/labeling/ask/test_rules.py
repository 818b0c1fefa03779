"""How much of a batch is left to chance."""

from labeling.ask.rules import BatchRules


def test_all_is_drawn_at_random_until_the_champion_has_learnt_enough_labels() -> None:
    rules = BatchRules(random_first=150, random_share=0.2)
    assert rules.due(149).random_share == 1
    assert rules.due(150) == rules
    assert rules.due(149).clip_share == rules.clip_share


def test_who_asks_for_no_random_round_gets_none() -> None:
    rules = BatchRules(random_first=0, random_share=0)
    assert rules.due(0) == rules
