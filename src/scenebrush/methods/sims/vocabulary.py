"""The words that a text may use: class names of a label set, their plurals and synonyms, and small words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from scenebrush.errors import InputError, nearest_name
from scenebrush.scene.label_set import LabelClass, LabelSet

LONGEST_PHRASE = 8
"""No phrase of `words.json` has more words."""


@dataclass(frozen=True)
class Noun:
    """What a word or phrase names.

    Args:
        class_id: the class.
        plural: whether it stands for several ("cars").
        length: how many words it takes.
    """

    class_id: int
    plural: bool
    length: int


class Vocabulary:
    """Finds nouns and phrases in a list of words.

    Args:
        label_set: whose classes can be named; void classes cannot.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.nouns: dict[str, tuple[int, bool]] = {}
        self.elsewhere: set[str] = set()  # words for classes that only other label sets have
        named = {c.name: c for c in label_set.classes if c.kind != "void"}
        for name, label_class in list(named.items()):  # COCO-Stuff's "building-other" is what one calls a building
            named.setdefault(name.removesuffix("-other"), label_class)
        for word, names in table("synonyms").items():
            found = next((named[name] for name in names if name in named), None)
            if found is None:
                self.elsewhere.update((word, plural_of(word)))
            else:
                self._learn(word, found)
        for name, label_class in named.items():  # last: a class's own name means that class
            self._learn(name.replace("_", " ").replace("-", " "), label_class)
        for plural, singular in table("plurals").items():
            means = self.nouns.get(singular)
            if plural in named and (means is None or means[0] != named[plural].id):
                continue  # COCO-Stuff has a class "leaves"
            if means is not None:
                self.nouns[plural] = (means[0], True)
            else:
                self.elsewhere.add(plural)

    def _learn(self, word: str, label_class: LabelClass) -> None:
        self.nouns[plural_of(word)] = (label_class.id, True)
        if self.nouns.get(word) != (label_class.id, True):  # the class "books" is learnt as the plural of "book"
            self.nouns[word] = (label_class.id, False)

    def noun_at(self, words: list[str], start: int) -> Noun | None:
        """Returns the longest noun that begins at a word; None: none does."""
        phrase = longest_phrase(words, start, self.nouns)
        return None if phrase is None else Noun(*self.nouns[phrase], length=len(phrase.split()))

    def unknown(self, word: str) -> InputError:
        """Returns the error for a word that names nothing here, with the nearest name and the classes there are."""
        classes = ", ".join(c.name for c in self.label_set.classes if c.kind != "void")
        name = self.label_set.name
        if word in self.elsewhere:
            return InputError(f"label set {name!r} has no class for {word!r}; it has {classes}")
        hint = nearest_name(word, self.nouns)
        return InputError(f"unknown word {word!r} in the text{hint}; label set {name!r} has {classes}")


@cache
def _words() -> dict[str, Any]:
    text = (resources.files("scenebrush.methods.sims") / "words.json").read_text(encoding="utf-8")
    words: dict[str, Any] = json.loads(text)
    return words


def table(name: str) -> dict[str, Any]:
    """Returns a table of `words.json`."""
    found: dict[str, Any] = _words()[name]
    return found


def listed(name: str) -> frozenset[str]:
    """Returns a list of `words.json` as a set."""
    return frozenset(_words()[name])


@cache
def relation_phrases() -> dict[str, str]:
    """Returns phrase -> relation, such as "to the left of" -> "left_of"."""
    return {phrase: kind for kind, phrases in table("relations").items() for phrase in phrases}


def longest_phrase(words: list[str], start: int, phrases: dict[str, Any]) -> str | None:
    """Returns the longest of the phrases that begins at a word, its words joined by blanks."""
    for length in range(min(LONGEST_PHRASE, len(words) - start), 0, -1):
        phrase = " ".join(words[start : start + length])
        if phrase in phrases:
            return phrase
    return None


def plural_of(word: str) -> str:
    """Returns the regular English plural of a word or phrase."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word + "s"
