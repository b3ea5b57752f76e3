"""Word classes, and the stems by which two wordings of one thing meet."""

from functools import lru_cache
from typing import Final, NamedTuple

from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.lexicon import word_set


class WordClass(NamedTuple):
    """What a word is by itself; the phrase reader settles the ambiguous ones.

    Args:
        kind: determiner, number, adjective, noun, third (person), base, ing, ed, be, seem, have, modal, adverb,
            preposition, conjunction, relative, pronoun, negation, doubt or to.
        base: base form of a verb, else the word itself.
    """

    kind: str
    base: str


def _inflections() -> dict[str, tuple[str, str]]:
    forms: dict[str, tuple[str, str]] = {}
    for verb in sorted(lx.VERBS):
        if verb.endswith("e") and not verb.endswith("ee"):
            ing, past, third = verb[:-1] + "ing", verb + "d", verb + "s"
        elif verb.endswith("y") and verb[-2] not in "aeiou":
            ing, past, third = verb + "ing", verb[:-1] + "ied", verb[:-1] + "ies"
        else:
            ing, past, third = (
                verb + "ing",
                verb + "ed",
                verb + ("es" if verb.endswith(("s", "x", "ch", "sh")) else "s"),
            )
            if len(verb) > 2 and verb[-1] not in "aeiouwxy" and verb[-2] in "aeiou" and verb[-3] not in "aeiou":
                forms.setdefault(verb + verb[-1] + "ing", ("ing", verb))
                forms.setdefault(verb + verb[-1] + "ed", ("ed", verb))
        for form, kind in ((third, "third"), (ing, "ing"), (past, "ed")):
            forms.setdefault(form, (kind, verb))
    forms["goes"], forms["does"] = ("third", "go"), ("third", "do")
    forms.update({word: ("ing" if word.endswith("ing") else "ed", verb) for word, verb in lx.IRREGULAR.items()})
    return forms


_FORMS: Final = _inflections()
_ADJECTIVE_ENDINGS: Final = (
    "ish", "ous", "ful", "less", "ive", "able", "ible", "ical", "esque", "-like", "-toned", "-sized", "-looking",
    "-free", "-style", "-hued", "-tone",
)  # fmt: skip
_NOUNS_BY_SHAPE: Final = word_set(
    "animal pedestal crystal signal festival hospital mammal material metal portal terminal canal capital journal"
    " petal cereal mural medal admiral general arrival plastic fabric mosaic picnic ceramic attic graphic traffic"
    " mechanic music topic clinic comic fish dish radish goldish library dictionary secretary diary missionary"
    " boundary estuary sanctuary plant elephant restaurant giant infant merchant pendant assistant sergeant pageant"
    " tenant occupant president student accent event element cement pavement basement garment ornament instrument"
    " monument equipment apartment parent agent tent client patient serpent crescent fragment segment compartment"
    " department document environment attachment arrangement enclosure placement movement pigment sediment embankment"
    " tournament parchment detergent table vegetable cable stable constable syllable bible crucible archive olive hive"
    " beehive native locomotive detective captive octopus cactus hippopotamus walrus campus virus circus citrus genus"
    " stimulus bus utopus asparagus hibiscus crocus eucalyptus lotus papyrus fungus thesaurus dinosaurus handful"
    " mouthful spoonful fireless finish polish varnish rubbish parish blemish republic"
    " goalpost outpost necklace almost compost lamppost signpost guest forest harvest chest"
)
_CLOSED: Final = (
    (frozenset(lx.DETERMINERS), "determiner"),
    (lx.BE, "be"), (lx.SEEM, "seem"), (lx.HAVE, "have"), (lx.MODALS, "modal"), (lx.NEGATIONS, "negation"),
    (lx.DOUBTS, "doubt"), (frozenset(lx.PRONOUNS), "pronoun"), (lx.RELATIVES, "relative"),
    (lx.CONJUNCTIONS, "conjunction"), (frozenset(lx.NUMBERS), "number"), (frozenset(lx.ORDINALS), "number"),
    (lx.QUANTIFIERS, "number"), (lx.NOMINAL, "noun"),
)  # fmt: skip


@lru_cache(maxsize=65536)
def classify(word: str) -> WordClass:
    """Class of a lower-case word.

    Example:
        >>> classify("wearing")
        WordClass(kind='ing', base='wear')
    """
    if word == "to":
        return WordClass("to", word)
    for words, kind in _CLOSED:
        if word in words:
            return WordClass(kind, word)
    if word in lx.COLOURS or word in lx.SHADES or word in lx.ADJECTIVES:
        return WordClass("adjective", word)
    if word in lx.PREPOSITIONS:
        return WordClass("preposition", word)
    if word in lx.ADVERBS:
        return WordClass("adverb", word)
    if word in _FORMS:
        return WordClass(*_FORMS[word])
    if word in lx.VERBS:
        return WordClass("base", word)
    kind = _by_shape(word)
    return WordClass(kind, _base_of_ing(word) if kind == "ing" else word)


_DROPPED_E: Final = ("at", "iz", "ur", "v", "c", "g", "as", "us", "it", "ut", "bl", "dl", "fl", "gl", "pl", "tl")


def _base_of_ing(word: str) -> str:
    """Base of an unlisted verb, by shape: `clearing` -> `clear`, `radiating` -> `radiate`."""
    base = word[:-3]
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
        return base[:-1]
    return base + ("e" if base.endswith(_DROPPED_E) else "")


def _by_shape(word: str) -> str:
    if word.isdigit():
        return "number"
    if "-" in word:
        first, last = word.split("-", 1)[0], word.rsplit("-", 1)[1]
        if first in lx.COLOURS or last in lx.COLOURS or last.endswith(("ed", "ing")) or last in _FORMS:
            return "adjective"
    if word.endswith("ly") and len(word) > 4:
        return "adverb"
    if word.endswith(_ADJECTIVE_ENDINGS) and word not in _NOUNS_BY_SHAPE:
        return "adjective"
    if len(word) > 5 and word.endswith(("al", "ic", "ary", "ant", "ent", "ese")) and word not in _NOUNS_BY_SHAPE:
        return "adjective"
    if word.endswith("ing") and len(word) > 5:
        return "ing"
    if word.endswith("ed") and len(word) > 4:
        return "ed"
    return "noun"


_PLURALS: Final = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth",
    "leaves": "leaf", "shelves": "shelf", "knives": "knife", "loaves": "loaf", "geese": "goose", "mice": "mouse",
    "wolves": "wolf", "scarves": "scarf", "hooves": "hoof", "policemen": "policeman", "fishermen": "fisherman",
    "halves": "half", "calves": "calf", "buses": "bus", "lenses": "lens", "cacti": "cactus", "benches": "bench",
}  # fmt: skip
_ALWAYS_PLURAL: Final = word_set(
    "glasses sunglasses pants jeans trousers shorts clothes scissors pliers binoculars headphones tights goggles"
    " leggings overalls stairs"
)
_SINGULAR_S: Final = word_set("grass glass bus dress canvas cactus lens moss cross compass mattress atlas gas iris")


@lru_cache(maxsize=65536)
def singular(noun: str) -> str:
    """Singular of an English noun, by rule.

    Example:
        >>> singular("benches"), singular("glass"), singular("children")
        ('bench', 'glass', 'child')
    """
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun in _ALWAYS_PLURAL or noun in _SINGULAR_S or len(noun) < 4 or not noun.endswith("s") or noun.endswith("ss"):
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses", "zes")):
        return noun[:-2]
    if noun.endswith(("us", "is")):
        return noun
    return noun[:-1]


@lru_cache(maxsize=65536)
def is_plural(noun: str) -> bool:
    """Whether the noun is written in the plural; pairs such as `glasses` count as one thing."""
    return noun not in _ALWAYS_PLURAL and singular(noun) != noun


_ENDINGS: Final = ("ation", "iness", "ness", "ment", "ingly", "edly", "ally", "ing", "ed", "ly", "en", "y", "e")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude stem: inflections and the commonest endings of one word meet.

    Example:
        >>> stem("peacefully") == stem("peaceful"), stem("patterned") == stem("patterns")
        (True, True)
    """
    if word in _FORMS:
        word = _FORMS[word][1]
    word = singular(word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word


def third_person(verb: str) -> str:
    """`hold` -> `holds`, `carry` -> `carries`, `cross` -> `crosses`."""
    if verb.endswith("y") and verb[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "o")) else "s")


def ing_form(verb: str) -> str:
    """`sit` -> `sitting`, `ride` -> `riding`, `lie` -> `lying`."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb + verb[-1:] + "ing" in _FORMS and verb + "ing" in _FORMS and len(verb) <= 4:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + "ing"
