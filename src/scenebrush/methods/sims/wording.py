"""A short text becomes a wish: which classes, how many, how large, and what stands where (no language model)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scenebrush.errors import InputError
from scenebrush.methods.sims.vocabulary import Noun, Vocabulary, listed, longest_phrase, relation_phrases, table
from scenebrush.scene.label_set import LabelSet

PLACES = frozenset({"left", "right", "centre", "background", "foreground"})
"""Relations to the picture itself, which take no object."""
_OPPOSITES = {
    a: b
    for pair in (
        ("left_of", "right_of"),
        ("in_front_of", "behind"),
        ("above", "below"),
        ("left", "right"),
        ("background", "foreground"),
    )
    for a, b in (pair, pair[::-1])
}
MOST = 30
"""No item may ask for more objects than this."""


@dataclass(frozen=True)
class Item:
    """What the text names once.

    Args:
        class_id: its class.
        count: how many; None: several, left to whoever places them.
        size: "tiny", "small", "big", "huge", "near", "far", or "" for what is usual.
        words: as the text says it, for messages.
        plural: whether the noun stands for several.
    """

    class_id: int
    count: int | None
    size: str
    words: str
    plural: bool


@dataclass(frozen=True)
class Relation:
    """What holds between items.

    Args:
        kind: "left_of", "right_of", "on", "in_front_of", "behind", "beside", "between", "above", "below", or one of
            `PLACES`.
        subject: index of the item that it is said of.
        objects: indices of the items that it refers to; none for a place, two (or one plural) for "between".
    """

    kind: str
    subject: int
    objects: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What a text asks for.

    Args:
        items: in the order of the text.
        relations: between them.
        excluded: ids of the classes that must not occur ("no cars").
    """

    items: tuple[Item, ...]
    relations: tuple[Relation, ...] = ()
    excluded: frozenset[int] = frozenset()

    def describe(self, relation: Relation) -> str:
        """Returns a relation in words, such as "a car left of a tree"."""
        objects = " and ".join(self.items[i].words for i in relation.objects)
        return f"{self.items[relation.subject].words} {relation.kind.replace('_', ' ')} {objects}".strip()


def read_wish(text: str, label_set: LabelSet) -> Wish:
    """Returns what a text asks for.

    A text is a row of clauses, parted by commas, "and", "with": `[number, size] class [relation class]...`; all
    relations of a clause are said of what it names first ("a car left of a tree on a road": the car is on the road).
    A clause may also begin with the place ("on the left a tree"). "the" and "it" take up what was named before.

    Args:
        text: English, such as "a car left of a tree on a road, buildings behind, no people".
        label_set: whose classes can be named; synonyms stand in `words.json`.

    Raises:
        InputError: a word is neither a class nor a small word (named, with the nearest), nothing is named, a class is
            both named and excluded, or more than `MOST` of something.
    """
    return _Reader(text, label_set).read()


@dataclass
class _Clause:
    """One clause while it is read; `said`: relations before its subject, or complete ones, with their objects."""

    subjects: list[int] = field(default_factory=list)
    said: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    open: str = ""  # the relation that waits for its objects
    objects: list[int] = field(default_factory=list)
    joined: bool = False  # "and" came last: one more subject follows
    excluding: bool = False


class _Reader:
    """Reads one text from left to right, without looking back further than the clause."""

    def __init__(self, text: str, label_set: LabelSet) -> None:
        self.vocabulary = Vocabulary(label_set)
        self.words = re.findall(r"[^\W_]+|[,;.]", re.sub(r"['’]s\b", "", text.lower()))
        self.mergeable = {
            c.id for c in label_set.classes if c.kind == "stuff" and c.name not in listed("countable")
        }  # one road, however often the text names it
        self.items: list[Item] = []
        self.relations: list[Relation] = []
        self.excluded: dict[int, str] = {}
        self.clause = _Clause()
        self.before: list[int] = []  # the subjects of the clause before, which "it" and "them" mean

    def read(self) -> Wish:
        position = 0
        while position < len(self.words):
            position = self._step(position)
        self._close()
        for item in self.items:
            if item.class_id in self.excluded:
                raise InputError(
                    f"the text asks for {item.words!r} and for {self.excluded[item.class_id]!r}; leave one out"
                )
        if not self.items:
            names = ", ".join(c.name for c in self.vocabulary.label_set.classes if c.kind != "void")
            raise InputError(f"the text names no class; name some of {names}")
        wish = Wish(tuple(self.items), tuple(dict.fromkeys(self.relations)), frozenset(self.excluded))
        _check_no_contradiction(wish)
        return wish

    def _step(self, position: int) -> int:
        """Takes up what begins at a word; returns where the next begins."""
        word, clause = self.words[position], self.clause
        wants_noun = bool(clause.open) or not clause.subjects or clause.joined
        phrase = longest_phrase(self.words, position, relation_phrases())
        if not wants_noun and phrase is not None:
            return self._relation(phrase, position)
        end = self._noun_phrase(position)
        if end is not None:
            return end
        if phrase is not None:
            return self._relation(phrase, position)
        if word in listed("pronouns"):
            self._named(self.before)
        elif word in listed("excluding"):
            self._close()
            self.clause.excluding = True
        elif word in listed("clauses"):
            self._parted(word)
        elif word not in listed("skipped") | listed("definite") and word not in table("counts") | table("sizes"):
            raise self.vocabulary.unknown(word)
        return position + 1

    def _noun_phrase(self, start: int) -> int | None:
        """Takes up numbers, sizes and a noun; returns where it ends, None if there is no noun."""
        count: int | None = None
        size, definite, position = "", False, start
        while position < len(self.words):
            word = self.words[position]
            noun = self.vocabulary.noun_at(self.words, position)
            if noun is not None:
                words = " ".join(self.words[start : position + noun.length])
                self._noun(noun, count, size, definite, words)
                return position + noun.length
            if word.isdecimal():
                count = int(word)
            elif word in table("counts"):
                count = table("counts")[word]
            elif word in table("sizes"):
                size = table("sizes")[word]
            elif word in listed("definite"):
                definite = True
            elif word not in listed("skipped"):
                return None
            position += 1
        return None

    def _noun(self, noun: Noun, count: int | None, size: str, definite: bool, words: str) -> None:
        if self.clause.excluding:
            self.excluded[noun.class_id] = f"no {words}"
            return
        if count is None and not noun.plural:
            count = 1
        if count is not None and not 1 <= count <= MOST:
            raise InputError(f"the text asks for {words!r}; give a number from 1 to {MOST}, or 'no' and the class")
        for index, item in enumerate(self.items):
            if item.class_id == noun.class_id and (definite or noun.class_id in self.mergeable):
                self._named([index])
                return
        self.items.append(Item(noun.class_id, count, size, words, noun.plural))
        self._named([len(self.items) - 1])

    def _named(self, items: list[int]) -> None:
        clause = self.clause
        if clause.open:
            clause.objects += items
            several = len(clause.objects) > 1 or any(self.items[i].plural for i in clause.objects)
            if clause.open != "between" or several:
                self._say(clause.open, tuple(clause.objects))
                clause.open, clause.objects = "", []
            return
        if clause.subjects and not clause.joined:  # two nouns in a row: the second begins anew
            self._close()
            clause = self.clause
        clause.joined = False
        clause.subjects += items
        for kind, objects in clause.said:
            self._relate(items, kind, objects)

    def _relation(self, phrase: str, position: int) -> int:
        kind = relation_phrases()[phrase]
        self._finish_open()
        if kind in PLACES:
            self._say(kind, ())
        else:
            self.clause.open = kind
        return position + len(phrase.split())

    def _parted(self, word: str) -> None:
        clause = self.clause
        goes_on = word in ("and", "or", "plus")
        if goes_on and clause.excluding:
            return
        if goes_on and clause.open == "between" and clause.objects:
            return
        if goes_on and clause.subjects and not clause.open and not clause.said:
            clause.joined = True
            return
        self._close()

    def _say(self, kind: str, objects: tuple[int, ...]) -> None:
        if kind == "middle_of":
            self._say("centre", ())
            kind = "on"
        self.clause.said.append((kind, objects))
        self._relate(self.clause.subjects, kind, objects)

    def _relate(self, subjects: list[int], kind: str, objects: tuple[int, ...]) -> None:
        for subject in subjects:
            if subject in objects:
                raise InputError(f"the text sets {self.items[subject].words!r} {kind.replace('_', ' ')} itself")
            self.relations.append(Relation(kind, subject, objects))

    def _finish_open(self) -> None:
        """A relation whose object never came: "buildings behind" means behind everything."""
        kind, objects = self.clause.open, tuple(self.clause.objects)
        self.clause.open, self.clause.objects = "", []
        if objects:  # "between a tree" with nothing more
            self._say("beside", objects)
        elif kind and table("alone")[kind]:
            self._say(table("alone")[kind], ())

    def _close(self) -> None:
        self._finish_open()
        if self.clause.subjects:
            self.before = self.clause.subjects
        elif self.clause.said and not self.clause.excluding:
            # "in the background, buildings": the comma parts nothing
            self.clause = _Clause(said=self.clause.said)
            return
        self.clause = _Clause()


def _check_no_contradiction(wish: Wish) -> None:
    """Raises `InputError` if two relations of the same items cannot both hold; longer circles are left to placing."""
    said: dict[tuple[str, int, int], Relation] = {}
    for relation in wish.relations:
        for other in relation.objects or (-1,):
            subject = relation.subject
            opposite = _OPPOSITES.get(relation.kind)
            against = (opposite or "", subject, other)
            same_turned = (relation.kind, other, subject)  # a left of b, b left of a
            for key in (against, same_turned):
                if opposite is not None and key in said:
                    first, second = wish.describe(said[key]), wish.describe(relation)
                    raise InputError(f"the text says {first!r} and {second!r}, which cannot both be; leave one out")
            said[(relation.kind, subject, other)] = relation
