"""Words that mean the same, words that exclude each other, and the links that relations state."""

from typing import Final

from pancap.scoring.judges.reading.lexicon import word_set

NEGATIONS: Final = word_set("not no never without")
SILENT: Final = word_set(
    "a an the is are was were be been being has have had having does do of and or with in on at to it its his her"
    " their this that very slightly quite somewhat mostly partially fully color colored colour coloured hue shade"
    " shape shaped pattern patterned surface texture textured appearance look design image picture photo frame scene"
    " side part portion area section made by as for some several few one also which who not no never without composed"
    " style overall general appears seems visible material finish state condition position positioned located"
)
_SYNONYMS: Final = (
    "small tiny little mini miniature smaller compact", "large big huge giant massive enormous sizable larger bigger",
    "tall high taller towering", "short low shorter", "long elongated longer lengthy", "round circular rounded",
    "spherical ball-shaped globe-shaped", "rectangular oblong box-shaped boxy", "open opened ajar",
    "closed shut", "lit illuminated glowing lit-up switched-on", "unlit dark-windowed", "striped stripes stripe",
    "checkered checked plaid gingham", "dotted dots polka-dot spotted spots speckled mottled", "floral flowery",
    "plain solid uniform unpatterned", "wood wooden timber", "metal metallic steel iron", "stone rock rocky stony",
    "brick bricks", "glass glassy", "fabric cloth textile", "shiny glossy gleaming reflective polished", "matte dull",
    "smooth even", "rough coarse bumpy rugged", "fluffy furry fuzzy puffy", "wet damp soaked", "dry dried parched",
    "old aged worn weathered ancient", "new modern", "young youthful", "clean tidy", "dirty muddy dusty grimy",
    "full filled", "empty vacant", "thick bushy dense", "thin slim slender narrow", "wide broad",
    "transparent clear see-through translucent", "leafy green-leaved", "bare leafless",
    "snowy snow-covered snow-capped",
    "straight upright vertical", "curved bent curvy arched", "horizontal", "diagonal slanted", "dark darker",
    "light pale lighter", "bright vivid vibrant brighter", "left left-hand leftmost", "right right-hand rightmost",
    "top upper topmost", "bottom lower bottommost", "center middle central centre centrally", "foreground",
    "background", "stand standing stands", "sit sitting sits seated", "lie lying lies laying", "walk walking walks",
    "run running runs jogging", "fly flying flies", "blurry blurred out-of-focus", "sharp focused",
    "first", "second", "third", "smile smiling smiles", "front facing", "parked", "moving driving", "male man",
    "female woman",
)  # fmt: skip
GROUPS: Final = {word: words.split()[0] for words in _SYNONYMS for word in words.split()}
# Groups of which only one can be true of a thing at a time, as far as two captions can tell.
_EXCLUSIVE: Final = (
    "small large", "tall short", "long short", "open closed", "lit unlit", "shiny matte", "smooth rough", "wet dry",
    "old new", "old young", "clean dirty", "full empty", "thick thin", "thin wide", "dark light", "dark bright",
    "left right",
    "left center", "right center", "top bottom", "top center", "bottom center", "foreground background",
    "stand sit", "stand lie", "stand run", "stand fly", "sit lie", "sit walk", "sit run", "walk run", "walk lie",
    "run lie", "sit fly", "blurry sharp", "horizontal straight", "round rectangular", "straight curved", "leafy bare",
    "striped dotted", "striped plain", "dotted plain", "checkered striped", "checkered plain", "floral plain",
    "wood metal", "wood stone", "wood brick", "metal stone", "metal brick", "stone brick", "wood glass",
    "first second",
    "first third", "second third", "switched-on switched-off", "parked moving", "male female",
)  # fmt: skip


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _EXCLUSIVE:
        one, two = pair.split()
        found.setdefault(one, set()).add(two)
        found.setdefault(two, set()).add(one)
    return {word: frozenset(others) for word, others in found.items()}


OPPOSITES: Final = _opposites()

# A relation's kind of link and its direction; `>` reads subject first. Tried in this order, longest first.
LINK_PHRASES: Final = tuple(
    (f" {phrase} ", link)
    for phrase, link in sorted(
        {
            "to the left of": "left>", "on the left side of": "left>", "left of": "left>", "on the left of": "left>",
            "to the right of": "left<", "on the right side of": "left<", "right of": "left<",
            "on the right of": "left<",
            "in front of": "front>", "behind": "front<", "at the back of": "front<", "above": "above>",
            "over": "above>",
            "higher than": "above>", "below": "above<", "under": "above<", "beneath": "above<",
            "underneath": "above<",
            "lower than": "above<", "on top of": "on>", "at the top of": "on>", "onto": "on>", "on": "on>",
            "upon": "on>",
            "on the side of": "on>", "on the front of": "on>", "on the back of": "on>", "in": "in>", "inside": "in>",
            "within": "in>", "into": "in>", "in the middle of": "in>", "next to": "near>", "near": "near>",
            "beside": "near>", "close to": "near>", "adjacent to": "near>", "alongside": "near>", "by": "",
            "part of": "part>", "a part of": "part>", "belongs to": "part>", "attached to": "attach>",
            "connected to": "attach>", "covered with": "cover<", "covered in": "cover<", "covered by": "cover<",
            "surrounded by": "surround<", "filled with": "in<", "larger than": "larger>", "bigger than": "larger>",
            "smaller than": "larger<", "taller than": "taller>", "shorter than": "taller<", "wider than": "wider>",
            "the same size as": "same-size>", "the same height as": "same-size>", "at the bottom of": "base>",
            "at the base of": "base>", "between": "between>", "against": "against>", "along": "along>",
            "across": "across>", "around": "around>", "through": "through>", "from": "from>", "toward": "toward>",
            "towards": "toward>", "opposite": "opposite>", "dressed in": "wear>", "looks at": "toward>",
            "looking at": "toward>", "faces": "toward>", "facing": "toward>", "at": "at>", "of": "part>",
            "on both sides of": "near>", "is worn by": "wear<", "made of": "of-material>",
            "has": "part-of-me>", "have": "part-of-me>", "with": "part-of-me>",
        }.items(),
        key=lambda item: -len(item[0]),
    )
)  # fmt: skip
POSTURE_WORDS: Final = word_set(
    "stand stands standing sit sits sitting seated lie lies lying laid rest rests resting place placed lay lays"
    " laying hang hangs hanging appear appears positioned located situated set mounted parked perched rise rises"
    " extends extend stretches stretched spreads spread looks seen displayed visible directly slightly partially just"
    " immediately runs to for with as floats walks walking growing grows painted printed written scattered arranged"
)
# Base forms of verbs that state one of the links above.
VERB_LINKS: Final = {
    verb: link
    for link, verbs in {
        "hold": "hold carry grip grasp clasp clutch", "wear": "wear sport", "holds-in": "contain", "cover": "cover",
        "surround": "surround enclose", "touch": "touch", "attach": "connect attach join", "under-me": "support",
        "ride": "ride straddle", "toward": "face watch gaze look reach", "hug": "hug embrace", "pull": "pull tow drag",
        "part-of-me": "include feature have", "overlap": "overlap", "hide": "obscure block hide",
    }.items()
    for verb in verbs.split()
}  # fmt: skip
# Words that only introduce the words in quotation marks.
TEXT_WORDS: Final = word_set(
    "text word words letter letters lettering character characters writing inscription name reads read says say shows"
    " show displays label labeled labelled number numbers logo printed written saying reading"
)
SYMMETRIC: Final = word_set("near attach touch same-size opposite hug overlap across")
# What else proves a link: a cup on a table is above it, a man who wears a hat has one.
IMPLIED_BY: Final = {
    "above>": ("on>",), "above<": ("on<", "under-me>"), "on<": ("under-me>",), "under-me>": ("on<",),
    "part<": ("part-of-me>", "wear>", "hold>"), "part>": ("part-of-me<", "wear<", "hold<"),
    "part-of-me>": ("part<", "wear>", "hold>", "holds-in>", "in<", "on<", "attach>"),
    "part-of-me<": ("part>", "wear<", "hold<", "in>", "on>", "attach>"),
    "holds-in>": ("in<", "part-of-me>"), "in<": ("holds-in>", "part-of-me>"), "in>": ("holds-in<",),
    "wear>": ("part-of-me>", "part<", "on<", "in>"), "wear<": ("part>", "on>"), "hold>": ("part-of-me>",),
    "hold<": ("part>",),
    "on>": ("under-me<", "part>", "attach>", "wear<", "ride>", "cover>"), "ride>": ("on>",), "ride<": ("on<",),
    "cover<": ("on<",), "cover>": ("on>",), "surround<": ("around<",), "around>": ("surround>",),
    "surround>": ("around>",),
    "near>": ("attach>", "touch>", "against>"), "near<": ("attach>", "touch>", "against<"),
    "attach>": ("on>", "part>"), "attach<": ("on<", "part<"),
    "base>": ("near>", "on>"),
}  # fmt: skip
