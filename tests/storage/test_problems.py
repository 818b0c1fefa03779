"""What a person is told of lines that were left out."""

from storage.problems import Problem, noted, told


def test_lines_that_were_left_out_are_counted_and_the_first_is_named() -> None:
    assert told([]) == ""
    assert told([Problem(7, "no label")]) == "1 line left out (first: line 7, no label)"
    assert told([Problem(7, "no label"), Problem(9, "empty")]).startswith("2 lines left out (first: line 7")


def test_nothing_is_added_where_nothing_was_left_out() -> None:
    assert noted("9 texts", []) == "9 texts"
    assert noted("9 texts", [Problem(7, "no label")]) == "9 texts, 1 line left out (first: line 7, no label)"
