"""Global state: what a caption says about the whole image, sorted by aspect."""

from collections.abc import Iterable
from typing import Final

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
    return tuple(lx.GLOBAL_CLAUSES[aspect].format(" and ".join(values)) for aspect, values in states.items() if values)


def _read(tokens: list[Token], states: GlobalStates) -> None:
    cues: set[str] = set()
    is_whole = False
    for position, token in enumerate(tokens):
        text = token.text
        if text in lx.GLOBAL_CUES:
            cues.add(lx.GLOBAL_CUES[text])
        if text in _WHOLE and position < 6:
            is_whole = True
    negated_until = -1
    spans = {aspect: _near(tokens, aspect) for aspect in cues}
    for position, token in enumerate(tokens):
        if token.text in lx.NEGATIONS:
            negated_until = position + _NEGATED_SPAN
        elif token.kind in ("comma", "conjunction"):
            negated_until = -1
        if position <= negated_until or token.kind in ("box", "quote"):
            continue
        if token.text in ("clear", "fair"):
            if any(other.text in _SKY for other in tokens[position + 1 : position + 4]) or any(
                other.text == "weather" for other in tokens[:2]
            ):
                states.setdefault("weather", {})["sunny"] = None
        elif token.text == "day" and position > 1 and tokens[position - 1].text == "of":
            continue
        else:
            _read_anywhere(tokens, position, states, is_whole)
        for aspect in ("lighting", "viewpoint", "style") if is_whole else ():
            if aspect in cues and position in spans[aspect] and token.text in lx.GLOBAL_VALUES[aspect]:
                states.setdefault(aspect, {})[lx.GLOBAL_VALUES[aspect][token.text]] = None
    if "mood" in cues:
        _read_mood(tokens, states)


def _read_anywhere(tokens: list[Token], position: int, states: GlobalStates, is_whole: bool) -> None:
    """Time, weather and setting, which captions mention in passing: `shows a street on a sunny day`."""
    text = tokens[position].text
    for aspect in _ANYWHERE:
        value = lx.GLOBAL_VALUES[aspect].get(text)
        if value is None or not (is_whole or text not in _NEEDS_WHOLE):
            continue
        before = tokens[position - 1].text if position else ""
        if not is_whole and aspect == "time" and before in ("a", "an"):
            continue
        if (
            not is_whole
            and aspect == "weather"
            and not any(near.text in _SKY for near in tokens[position : position + 4])
        ):
            continue
        states.setdefault(aspect, {})[value] = None


def _near(tokens: list[Token], aspect: str) -> range:
    """Positions whose words speak of the aspect: shortly before its noun, and after it to the end of the clause."""
    cue = next(index for index, token in enumerate(tokens) if lx.GLOBAL_CUES.get(token.text) == aspect)
    end = cue + 1
    while end < len(tokens) and not (tokens[end].kind == "ing" and tokens[end - 1].kind == "comma"):
        if tokens[end].text in ("on", "from", "due to", "which", "while", "against") and aspect == "lighting":
            break
        end += 1
    return range(max(0, cue - 5), end)


def _read_mood(tokens: list[Token], states: GlobalStates) -> None:
    """Adjectives of the clause that names the mood."""
    cue = next(index for index, token in enumerate(tokens) if lx.GLOBAL_CUES.get(token.text) == "mood")
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
        known = lx.MOODS.get(token.text)
        if not negated and (known or (token.kind == "adjective" and index > cue)) and token.text not in _NOT_MOODS:
            states.setdefault("mood", {})[known or token.text] = None


_NOT_MOODS: Final = frozenset(lx.QUANTIFIERS | lx.POSITION_ADJECTIVES | {"still", "clear", "bright"} | set(lx.COLOURS))
