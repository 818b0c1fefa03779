"""What a person is told of lines that were left out."""

from storage.texts.bad_lines import BadLine, noted


def test_lines_that_were_left_out_are_counted_and_the_first_is_named() -> None:
    assert noted("9 texts", []) == "9 texts"
    assert noted("9 texts", [BadLine(7, "no label")]) == "9 texts, 1 line left out (first: line 7, no label)"
    two = noted("9 texts", [BadLine(7, "no label"), BadLine(9, "empty")])
    assert two == "9 texts, 2 lines left out (first: line 7, no label)"
