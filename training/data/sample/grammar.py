"""Makes texts from templates with slots, so that a sample needs no sentence of anybody else's.

Syntax of a template: `{name}` draws from the list of that name, `{name1}` draws once and stays the same within the
text, `{3..9}` and `{1.5..9.9}` draw numbers, `[one|other]` picks. Signs make the language hard: the list
`thing-` names things that are bad when they grow, `moved-` says that they shrink. `{thing?} {moved?}` draws two random
signs whose product is the wanted sign: "costs fell" is good, "sales fell" and "costs rose" are bad.
"""

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SLOT = re.compile(r"\{([^{}]+)\}")
_CHOICE = re.compile(r"\[([^\[\]]+)\]")
_FIRST_SIGNS = (1,) * 7 + (-1,)
"""News is more often about things that are good when they grow (sales, profit) than about costs or losses."""
_NUMBER = re.compile(r"(\d+(?:\.\d)?)\.\.(\d+(?:\.\d)?)")


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules (lists of alternatives by name), templates by section, and how many texts each section gives.

    A section is named by the label of its texts, with a word after a hyphen where a label has two. Texts of the section
    `signed` have the label that `signs` gives to the sign that they were made with. `seed` fixes every draw; `files`
    says how the seed data is written (phrasebank or csv).
    """

    rules: Mapping[str, Sequence[str]]
    templates: Mapping[str, Sequence[str]]
    rows: Mapping[str, int]
    signs: Mapping[int, str]
    seed: int
    files: str

    @property
    def labels(self) -> set[str]:
        """The labels that texts of this grammar can have."""
        return {self.label(section, sign) for section in self.templates for sign in self.signs}

    def label(self, section: str, sign: int) -> str:
        """The label of a text that was made for a section with a sign."""
        return self.signs[sign] if section == "signed" else section.partition("-")[0]


def load_grammar(vocabulary: Path, style: Path) -> Grammar:
    """One grammar from two TOML files: the words that both styles of a sample share, and the templates of one style."""
    shared, own = (tomllib.loads(path.read_text("utf-8")) for path in (vocabulary, style))
    signs = {int(sign): label for sign, label in shared["signs"].items()}
    rules = shared["rules"] | own["rules"]
    return Grammar(rules, own["templates"], own["rows"], signs, shared["sample"]["seed"], shared["sample"]["files"])


class Expansion:
    """Makes one text, and remembers the words of its numbered slots."""

    def __init__(self, rules: Mapping[str, Sequence[str]], draw: random.Random) -> None:
        self._rules, self._draw = rules, draw
        self._bound: dict[str, str] = {}

    def expand(self, template: str, sign: int = 1) -> str:
        """The template with every slot filled; the signs of its `?` slots multiply to `sign` (1 or -1)."""
        while match := _CHOICE.search(template):
            chosen = self._draw.choice(match[1].split("|"))
            template = template[: match.start()] + chosen + template[match.end() :]
        signs = self._signs(template.count("?}"), sign)
        return _SLOT.sub(lambda match: self._fill(match[1], signs), template)

    def _signs(self, count: int, sign: int) -> list[int]:
        signs = [self._draw.choice(_FIRST_SIGNS) for _ in range(count - 1)]
        product = sign
        for each in signs:
            product *= each
        return [*signs, product] if count else []

    def _fill(self, slot: str, signs: list[int]) -> str:
        if number := _NUMBER.fullmatch(slot):
            return self._number(number[1], number[2])
        if slot.endswith("?"):
            slot = slot[:-1] + ("+" if signs.pop(0) > 0 else "-")
        if slot[-1].isdigit():
            return self._bind(slot)
        if slot in self._rules:
            return self.expand(self._draw.choice(self._rules[slot]))
        return self.expand(self._draw.choice(self._rules[slot[:-1]]), -1 if slot.endswith("-") else 1)

    def _bind(self, slot: str) -> str:
        rule = slot.rstrip("0123456789")
        taken = {value for name, value in self._bound.items() if name != slot and name.startswith(rule)}
        while slot not in self._bound:
            drawn = self.expand(self._draw.choice(self._rules[rule]))
            if drawn not in taken:
                self._bound[slot] = drawn
        return self._bound[slot]

    def _number(self, low: str, high: str) -> str:
        if "." in low:
            return f"{self._draw.uniform(float(low), float(high)):.1f}"
        return str(self._draw.randint(int(low), int(high)))
