"""Global state: what a caption says about the whole image, sorted by aspect."""

from collections.abc import Iterable
from typing import Final

from pancap.scoring.judges.reading import global_lexicon as gl
from pancap.scoring.judges.reading import lexicon as lx
from pancap.scoring.judges.reading.lexicon import word_set
from pancap.scoring.judges.reading.tokens import Sentence, Token, read_sentences

GlobalStates = dict[str, dict[str, None]]
"""Aspect -> values, in order of mention."""

# A sentence about one thing may hold "bright" or "calm" too; only these open a statement on the whole image.
_WHOLE: Final = word_set(
    "image picture photo photograph scene lighting light mood atmosphere weather time environment setting tone"
    " brightness viewpoint perspective style overall shot view day ambiance sky illumination sunlight daylight shadows"
    " shadow sun conditions vibe feeling angle camera air it there background aesthetic season"
)
_ANYWHERE: Final = ("time", "weather", "setting")
_NEGATED_SPAN: Final = 3
_ONLY_OF_SKY: Final = frozenset(("clear", "fair"))
_VALUES: Final = {
    word: tuple((aspect, values[word]) for aspect, values in gl.GLOBAL_VALUES.items() if word in values)
    for word in sorted(set().union(*gl.GLOBAL_VALUES.values()))
}
# "during the day" is a time, "inside the box" is a place of one thing.
_NEEDS_WHOLE: Final = word_set("inside outside interior day rain mist fog sunshine")
_SKY: Final = frozenset(["weather", "sky", "skies", "day", "conditions"])


def find_global_states(sentences: Iterable[Sentence]) -> GlobalStates:
    """Every value of every aspect that the sentences state about the whole image."""
    states: GlobalStates = {}
    for sentence in sentences:
        _read(sentence.tokens, states)
    return states


def read_clause(text: str) -> GlobalStates:
    """The same for one global item."""
    return find_global_states(read_sentences(text))


def as_clauses(states: GlobalStates) -> tuple[str, ...]:
    """One clause for each aspect: `the lighting is bright and soft`."""
    return tuple(gl.GLOBAL_CLAUSES[aspect].format(" and ".join(values)) for aspect, values in states.items() if values)


def _read(tokens: list[Token], states: GlobalStates) -> None:
    texts = [token.text for token in tokens]
    cues = {gl.GLOBAL_CUES[text] for text in texts if text in gl.GLOBAL_CUES}
    is_whole = not _WHOLE.isdisjoint(texts[:6])
    spans = {aspect: _near(tokens, aspect) for aspect in cues if is_whole and aspect in gl.GLOBAL_VALUES}
    for position, text in enumerate(texts):
        if text not in _VALUES or _is_negated(tokens, position) or tokens[position].kind in ("box", "quote"):
            continue
        for aspect, value in _VALUES[text]:
            if aspect in _ANYWHERE:
                holds = _holds_anywhere(texts, position, aspect, is_whole)
            else:
                holds = position in spans.get(aspect, ())
            if holds:
                states.setdefault(aspect, {})[value] = None
    if "mood" in cues:
        _read_mood(tokens, states)


def _is_negated(tokens: list[Token], position: int) -> bool:
    """Whether a negation stands shortly before, in the same clause."""
    for token in reversed(tokens[max(0, position - _NEGATED_SPAN) : position]):
        if token.kind in ("comma", "conjunction"):
            return False
        if token.text in lx.NEGATIONS:
            return True
    return False


def _holds_anywhere(texts: list[str], position: int, aspect: str, is_whole: bool) -> bool:
    """Time, weather and setting, which captions mention in passing: `shows a street on a sunny day`."""
    text = texts[position]
    before = texts[position - 1] if position else ""
    if text in _ONLY_OF_SKY:
        return not _SKY.isdisjoint(texts[position : position + 4]) or "weather" in texts[:2]
    if text == "day" and before == "of":
        return False
    if is_whole:
        return True
    if text in _NEEDS_WHOLE or (aspect == "time" and before in ("a", "an")):
        return False
    return aspect != "weather" or not _SKY.isdisjoint(texts[position : position + 4])


def _near(tokens: list[Token], aspect: str) -> range:
    """Positions whose words speak of the aspect: shortly before its noun, and after it to the end of the clause."""
    cue = next(index for index, token in enumerate(tokens) if gl.GLOBAL_CUES.get(token.text) == aspect)
    end = cue + 1
    while end < len(tokens) and not (tokens[end].kind == "ing" and tokens[end - 1].kind == "comma"):
        if tokens[end].text in ("on", "from", "due to", "which", "while", "against") and aspect == "lighting":
            break
        end += 1
    return range(max(0, cue - 5), end)


def _read_mood(tokens: list[Token], states: GlobalStates) -> None:
    """Adjectives of the clause that names the mood."""
    cue = next(index for index, token in enumerate(tokens) if gl.GLOBAL_CUES.get(token.text) == "mood")
    negated = has_verb = False
    for index in range(max(0, cue - 3), len(tokens)):
        token = tokens[index]
        if token.text in lx.NEGATIONS:
            negated = True
        has_verb = has_verb or token.kind in ("be", "seem")
        if index > cue and has_verb and token.kind in ("preposition", "doubt", "relative"):
            return
        if index > cue and token.kind in ("ing", "relative") and tokens[index - 1].kind == "comma":
            return
        known = gl.MOODS.get(token.text)
        if not negated and (known or (token.kind == "adjective" and index > cue)) and token.text not in _NOT_MOODS:
            states.setdefault("mood", {})[known or token.text] = None


_NOT_MOODS: Final = frozenset(lx.QUANTIFIERS | lx.POSITION_ADJECTIVES | {"still", "clear", "bright"} | set(lx.COLOURS))
