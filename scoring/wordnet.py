"""The nouns of WordNet 3.0: which words share a sense.

The table (`data/wordnet_nouns.txt.xz`, made by `build_wordnet.py`) comes with the package; Princeton's licence is
`data/WORDNET_LICENSE.txt`. Inflected forms are looked up as NLTK does it: the irregular forms first, else every suffix
rule once; the form itself counts too.
"""

import lzma
from functools import lru_cache
from pathlib import Path

TABLE_PATH = Path(__file__).parent / "data" / "wordnet_nouns.txt.xz"

# NLTK's suffix rules for nouns.
_SUFFIX_RULES = (
    ("s", ""),
    ("ses", "s"),
    ("ves", "f"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)


class NounTable:
    """Noun lemmas, their senses and the lemmas of each sense."""

    def __init__(self, text: str) -> None:
        """Reads the three parts that `build_wordnet.py` writes."""
        synsets, senses, exceptions = text.rstrip("\n").split("\n\n")
        self._synsets = synsets.split("\n")
        self._senses: dict[str, tuple[int, ...] | int] = {}
        for number, line in enumerate(synsets.lower().split("\n")):
            for lemma in line.split(" "):
                self._senses[lemma] = number
        for line in senses.split("\n"):
            lemma, *numbers = line.split(" ")
            self._senses[lemma] = tuple(map(int, numbers))
        self._exceptions = {}
        for line in exceptions.split("\n"):
            form, *bases = line.split(" ")
            self._exceptions[form] = tuple(bases)

    def __len__(self) -> int:
        """Number of lemmas."""
        return len(self._senses)

    def base_forms(self, word: str) -> tuple[str, ...]:
        """The lemmas that a form may stand for, itself first where it is one; empty for an unknown word.

        Example:
            >>> load_nouns().base_forms("wolves")
            ('wolf',)
        """
        form = word.lower()
        if form in self._exceptions:
            forms = [form, *self._exceptions[form]]
        else:
            forms = [form, *(form[: -len(old)] + new for old, new in _SUFFIX_RULES if form.endswith(old))]
        return tuple(dict.fromkeys(known for known in forms if known in self._senses))

    def senses(self, word: str) -> tuple[int, ...]:
        """Numbers of the word's synsets, the most frequent sense first; words with spaces use `_` (`traffic_light`)."""
        numbers: list[int] = []
        for form in self.base_forms(word):
            found = self._senses[form]
            numbers.extend((found,) if isinstance(found, int) else found)
        return tuple(dict.fromkeys(numbers))

    def synonyms(self, word: str) -> frozenset[str]:
        """Every lemma name of every noun sense of the word, as WordNet writes them (case kept, `_` for spaces).

        Example:
            >>> sorted(load_nouns().synonyms("sofas"))
            ['couch', 'lounge', 'sofa']
        """
        return frozenset(name for number in self.senses(word) for name in self._synsets[number].split(" "))


@lru_cache(maxsize=1)
def load_nouns() -> NounTable:
    """The table that comes with the package, read once in a process (about 0.2 s)."""
    return NounTable(lzma.decompress(TABLE_PATH.read_bytes()).decode())
