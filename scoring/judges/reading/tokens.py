"""From a caption to sentences of tokens: mark-up off, boxes and quotations set apart."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pancap.caption.boxes import Box
from pancap.scoring.judges.reading.lexicon import ABSTRACT, PHRASES, word_set
from pancap.scoring.judges.reading.words import classify, is_plural, singular

MAX_CHARACTERS: Final = 40_000
"""Longer captions are cut here; the longest of 500 real ones has under 5,000 characters."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word, box group, quotation or punctuation mark.

    Args:
        text: as written (a quotation without its quotes; a phrase such as `in front of` in its normal form).
        kind: a class of `words.WordClass`, or `box`, `quote`, `comma`, `colon`, `mark`.
        base: base form of a verb; else the lower-case text.
        boxes: valid boxes of a `box` token.
        owner: whether a possessive ending stood here (`man's`).
    """

    text: str
    kind: str
    base: str
    boxes: tuple[Box, ...] = ()
    owner: bool = False


@dataclass(slots=True)
class Sentence:
    """Tokens up to a full stop.

    Args:
        tokens: in order.
        label: whether this is the heading of a list entry (`**Car:**`), which names what the entry is about.
        starts_entry: whether the sentence opens a paragraph or list entry.
    """

    tokens: list[Token]
    label: bool = False
    starts_entry: bool = False


_NUMBER: Final = r"(?:\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})"
_BOX: Final = re.compile(
    r"\[\s*\[?\s*" + _NUMBER + r"(?:[\s,\[\]]+" + _NUMBER + r")*\s*\]?\s*\]|\(\s*0?\.\d+(?:\s*,\s*[01]?\.\d+){3}\s*\)"
)
_JOINED: Final = re.compile(r"(?<=\])(?:\s*\)?\s*(?:,|and|,\s*and|&)?\s*\(?\s*)(?=\[)")
_VALUE: Final = re.compile(_NUMBER)
_TOKEN: Final = re.compile(
    r"\[[^\]]*\](?:[\s\]]*\])?|\"[^\"\n]{0,200}\"|[A-Za-z](?:[\w]|['’\-](?=\w))*['’]?|\d+(?:\.\d+)?(?:-\w+)*|[,;:.!?()/&]|\n"
)
_NAME: Final = r"[A-Z][\w/ ()'-]{0,40}"
_LABEL: Final = re.compile(
    r"^\s*(?:[-*#•+]+\s+|\d+[.)]\s+)?(?:#+\s*)?"
    r"(?:\*\*(?P<bold>[^*\n]{1,60}?):?\*\*\s*:?|(?P<plain>" + _NAME + r"?)\s*(?=\[)|(?P<named>" + _NAME + r"):(?=\s))"
    r"(?P<sep>\s*[:-]?)"
)
_BULLET: Final = re.compile(r"^\s*(?:[-*•+]\s+|#+\s*|\d+[.)]\s+)")
_STARTS: Final = {
    first: sorted((other.split() for other in PHRASES if other.split()[0] == first), key=len, reverse=True)
    for first in sorted({phrase.split()[0] for phrase in PHRASES})
}
_FILLER: Final = word_set(
    "bounding box boxes bounding-box coordinate coordinates at located position positioned situated found seen from"
    " by region area defined covering occupying spanning marked indicated described represented identified ( : with"
    " approximately roughly around bounded within"
)
_SMALL_FILLER: Final = word_set("is are can be also a an the its their his her in of as has have and to")


_MARKS: Final = {
    mark: Token(mark, kind, mark)
    for marks, kind in ((",", "comma"), (":", "colon"), (";.!?()/&", "mark"))
    for mark in marks
}


def parse_boxes(text: str) -> tuple[Box, ...]:
    """Every valid box of a bracketed group; anything that is no box is left out."""
    values = [float(value) for value in _VALUE.findall(text)[:400]]
    boxes = []
    for start in range(0, len(values) - 3, 4):
        try:
            boxes.append(Box(*values[start : start + 4]))
        except ValueError:
            continue
    return tuple(boxes)


def read_sentences(caption: str) -> list[Sentence]:
    """Splits a caption; never raises."""
    text = caption[:MAX_CHARACTERS].translate(_PLAIN).replace("\u200b", "")
    groups: list[tuple[Box, ...]] = []

    def keep(match: re.Match[str]) -> str:
        groups.append(parse_boxes(match[0]))
        return f" [#{len(groups) - 1}#] "

    sentences: list[Sentence] = []
    for line in text.split("\n"):
        if line.strip():
            line = _BOX.sub(keep, _JOINED.sub(" ", line))
            sentences.extend(_read_line(line, groups))
    return sentences


_PLAIN: Final = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ",", "\r": "\n", "\t": " ", "`": '"'}
)


def _read_line(line: str, groups: list[tuple[Box, ...]]) -> list[Sentence]:
    """Sentences of one line, its list heading first."""
    sentences: list[Sentence] = []
    stripped = _BULLET.sub("", line)
    label = _LABEL.match(line) if ("**" in line[:8] or stripped is not line) else None
    if label is None and ":" in line[:45]:
        label = _LABEL.match(line)
    rest = stripped
    if label is not None:
        named = label["bold"] or label["plain"] or label["named"] or ""
        after = line[label.end() :]
        is_heading = label["bold"] is None or label["sep"].strip() or ":" in label[0] or _starts_apart(after)
        if is_heading and len(named.split()) <= 7:
            box = re.match(r"[\s:(,*-]*((?:\[#\d+#\][\s,]*(?:and\s*)?)+)\)?\s*[:.-]?", after)
            head = _tokenize(named.lower() + (" " + box[1] if box else ""), groups)
            sentences.append(Sentence(head, label=True, starts_entry=True))
            rest = after[box.end() :] if box else after
    parts = _split(_tokenize(rest.replace("**", ""), groups))
    for index, tokens in enumerate(parts):
        sentences.append(Sentence(tokens, starts_entry=index == 0 and not sentences))
    return sentences


def _starts_apart(after: str) -> bool:
    following = after.lstrip(" :-")
    return following.startswith(("[", "(")) or not following


def _tokenize(text: str, groups: list[tuple[Box, ...]]) -> list[Token]:
    tokens: list[Token] = []
    raw = _TOKEN.findall(text)
    lowers = [word.lower() for word in raw]
    index = 0
    while index < len(raw):
        word, lower = raw[index], lowers[index]
        if lower in _STARTS:
            found, used = _match_phrase(lowers, index)
            if found and (found != "part of" or _may_be_part(tokens)):
                tokens.append(_phrase_token(found))
                index += used
                continue
        index += 1
        first = word[0]
        if first == "[":
            number = word[2:].split("#", 1)[0]
            if number.isdecimal() and int(number) < len(groups):
                _drop_filler(tokens)
                tokens.append(Token(word, "box", "box", groups[int(number)]))
        elif first == '"':
            tokens.append(Token(word.strip('"').strip(" ,."), "quote", ""))
        elif first in _MARKS:
            tokens.append(_MARKS[first])
        else:
            tokens.extend(_word_tokens(lower))
    return _reread(_drop_asides(tokens))


def _drop_asides(tokens: list[Token]) -> list[Token]:
    """Takes away `(pliers)` in `tool (pliers)`, or a word that names nothing before it (`object (pen)`)."""
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        if tokens[index].text == "(" and kept and kept[-1].kind == "noun":
            inside = [token.text for token in tokens[index + 1 : index + 7]]
            length = inside.index(")") if ")" in inside else 0
            if length and all(token.kind != "box" for token in tokens[index + 1 : index + length]):
                if kept[-1].text in ABSTRACT:
                    kept[-1:] = tokens[index + 1 : index + 1 + length]
                index += length + 2
                continue
        kept.append(tokens[index])
        index += 1
    return kept


def _reread(tokens: list[Token]) -> list[Token]:
    """Settles by their neighbours what words are that no list names, and drops what only introduces others."""
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        after_link = bool(kept) and kept[-1].kind in ("to", "relative")
        if token.kind == "noun" and (after_link or token.text in ("what", "reading")):
            following = [one.kind for one in tokens[index + 1 : index + 4]]
            if token.text == "what" and following[:1] == ["seem"] and following[1:] in (["to", "be"], ["preposition"]):
                index += 1 + len(following)  # "what appears to be a boat" is "a boat"
                continue
            if token.text == "reading" and following[:1] == ["quote"]:
                index += 1
                continue
            token = _as_verb(token, kept[-1], following[:1]) if after_link else token
        kept.append(token)
        index += 1
    return kept


def _as_verb(noun: Token, link: Token, following: list[str]) -> Token:
    """`to bridge a gap`, `that outlines the rules`: a verb where only a verb can stand."""
    if link.kind == "to" and following == ["determiner"]:
        return Token(noun.text, "base", noun.text)
    if link.kind == "relative" and following in (["determiner"], ["to"]) and is_plural(noun.text):
        return Token(noun.text, "third", singular(noun.text))
    return noun


def _drop_filler(tokens: list[Token]) -> None:
    """Takes away what only introduces a box: `(bounding box:`, `is located at`, `with coordinates`."""
    keep, seen = len(tokens), False
    if keep > 1 and tokens[-1].text == "of" and tokens[-2].text in ("box", "boxes", "coordinates", "bounding-box"):
        keep -= 1
    while keep and (tokens[keep - 1].text in _FILLER or (seen and tokens[keep - 1].text in _SMALL_FILLER)):
        seen = True
        keep -= 1
    if keep or not seen:
        del tokens[keep:]


@lru_cache(maxsize=65536)
def _word_tokens(lower: str) -> tuple[Token, ...]:
    """Tokens of a word: a contraction becomes two, a possessive loses its ending."""
    if lower.endswith("n't"):
        verb = {"can't": "can", "won't": "will"}.get(lower, lower[:-3])
        return Token(verb, *classify(verb)), Token("not", "negation", "not")
    head, mark, tail = lower.rpartition("'")
    if not mark:
        return (Token(lower, *classify(lower)),)
    if tail in ("s", "") and head in ("it", "there", "he", "she", "that", "here", "what"):
        return Token(head, *classify(head)), Token("is", "be", "is")
    if tail in ("re", "ve", "ll", "d", "m"):
        return Token(head, *classify(head)), Token("are", "be", "are")
    if tail in ("s", ""):
        kind = "determiner" if classify(head).kind == "determiner" else "noun"
        return (Token(head, kind, head, (), True),)
    return (Token(lower, *classify(lower)),)


def _match_phrase(lowers: list[str], index: int) -> tuple[str, int]:
    """The longest known phrase that starts here, in its normal form, and its number of words."""
    for words in _STARTS[lowers[index]]:
        length = len(words)
        if length == 1 or lowers[index : index + length] == words:
            return PHRASES[" ".join(words)], length
    return "", 0


def _may_be_part(tokens: list[Token]) -> bool:
    """`is part of the box` is a link, `the upper part of the box` is not."""
    return bool(tokens) and (tokens[-1].kind in ("be", "comma", "adverb") or tokens[-1].base == "form")


@lru_cache(maxsize=1024)
def _phrase_token(found: str) -> Token:
    if found == "and":
        return Token("and", "conjunction", "and")
    return Token(found, "preposition", found)


def _split(tokens: list[Token]) -> list[list[Token]]:
    """Cuts at full stops; a box that follows one still belongs to the sentence before it."""
    parts: list[list[Token]] = []
    current: list[Token] = []
    for index, token in enumerate(tokens):
        ends = token.kind == "mark" and token.text in ".!?;"
        if ends and index + 1 < len(tokens) and tokens[index + 1].kind == "box":
            continue
        if ends:
            if current:
                parts.append(current)
            current = []
        else:
            current.append(token)
    if current:
        parts.append(current)
    return parts
