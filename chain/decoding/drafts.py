"""Likely next tokens of an answer, offered as a draft: one forward pass verifies them all, so nothing is lost.

What a stage knows stands in its answer again: the tag stage repeats the boxes of its prompt, the caption too, and the
literals around the numbers of a box never change. Where none of that helps, the guess is what followed the same tokens
before. Only ids are handled here; anything that can verify a draft can use them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, Protocol

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.formats import sapancap
from pancap.chain.boxtokens import BoxCodec, Instance, Units
from pancap.chain.config import Coordinates
from pancap.chain.stages import NO_INSTANCES, STAGES, StageName, build_answer

Encode = Callable[[str], Sequence[int]]
Ids = tuple[int, ...]

NUM_DIGITS = 3  # of most numbers in 1/1000
NEAR_TOKENS = 24  # before a box, among which its tag is looked for
# Tokens of a repeated run that are offered. Over 100 real captions ten of them would save 3 more steps an image (391 to
# 387) and send 2,910 tokens through the model instead of 1,700.
NGRAM_DRAFT = 3
LOOKUP_DRAFT = 10  # what transformers' documentation gives to its prompt lookup
# Room for a draft below which runs are not looked up: with 32 answers under way a step costs each of them as much as
# four tokens more in it; of the tokens of boxes every second is right, of those of runs every eighth.
NGRAM_ROOM = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An instance of the stages before, in ids: its tag within a text, and its box from first to last number."""

    tag: Ids
    box: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """The ids around the numbers of a stage's boxes.

    Args:
        opening: from a tag, where a box has one, to the first number.
        between: from one number to the next.
        closing: from the last number to the next tag, word or opening.
        ending: from the last number to the end of the list.
        nothing: an answer that finds nothing.
    """

    opening: Ids
    between: Ids
    closing: Ids
    ending: Ids
    nothing: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRules:
    """What drafts of an answer are made of.

    Args:
        stage: decides where boxes stand.
        spelling: from `Speller.spelling`.
        known: instances of the stages before, in order (`tag` and `cap`).
        eos: id that ends an answer.
        ngram: longest run of tokens that is looked up in prompt and answer; 0 for boxes and literals alone.
    """

    stage: StageName
    spelling: Spelling
    known: tuple[Known, ...]
    eos: int
    ngram: int


class Speller:
    """How a tokenizer spells the boxes and tags of one stage, found by comparing small answers."""

    def __init__(self, encode: Encode, *, stage: StageName, coordinates: Coordinates) -> None:
        """Encodes a few answers.

        Args:
            encode: text to ids, nothing added.
            stage: whose answers.
            coordinates: how boxes are spelled.

        Raises:
            ValueError: the tokenizer doesn't write a digit or a coordinate as one token.
        """
        self._encode = encode
        self._stage: StageName = stage
        self._codec = BoxCodec(coordinates=coordinates)
        first, second = self._literals("a"), self._literals("b")
        self._num_before, self._num_after, self._num_anchor = len(first[0]), len(first[8]), len(encode("a"))
        opening = common_start(first[0][::-1], second[0][::-1])[::-1]
        closing = common_start(first[4], second[4])
        self.spelling = Spelling(
            opening=opening,
            between=first[1],
            closing=closing[: -len(opening)] if closing[-len(opening) :] == opening else closing,
            ending=common_start(first[8], second[8]),
            nothing=tuple(encode(NO_INSTANCES)),
        )

    def known(self, *, tag: str, units: Units) -> Known:
        """An instance in ids."""
        ids = self._encode_answer("a", units, num_boxes=1)
        return Known(
            tag=tuple(self._encode(f"a {tag}")[self._num_anchor :]),
            box=tuple(ids[self._num_before : len(ids) - self._num_after]),
        )

    def _literals(self, tag: str) -> list[Ids]:
        """The nine runs of ids around the eight numbers of two boxes."""
        one, two = (self._encode_answer(tag, units, num_boxes=2) for units in ((1, 2, 3, 4), (5, 6, 7, 8)))
        places = [place for place, (left, right) in enumerate(zip(one, two, strict=False)) if left != right]
        if len(places) != 8:
            raise ValueError(
                f"drafts need a tokenizer that writes a digit or coordinate as one token, got {len(places)} tokens for "
                f"8 numbers in the answer of stage {self._stage}; set decoding.enable_drafts=false"
            )
        starts = [0, *(place + 1 for place in places)]
        return [tuple(one[start:stop]) for start, stop in zip(starts, [*places, len(one)], strict=True)]

    def _encode_answer(self, tag: str, units: Units, *, num_boxes: int) -> Sequence[int]:
        """An answer that gives a box so many times."""
        box = Box(*(unit / LETTERBOX_UNITS for unit in units))
        text = build_answer(
            self._stage,
            codec=self._codec,
            boxes=[box] * num_boxes,
            instances=[Instance(tag=tag, box=box)] * num_boxes,
            caption=f"{tag} {sapancap.render_box(box)} " * num_boxes + tag,
        )
        return self._encode(text)


class DraftSource(Protocol):
    """Follows one answer and guesses how it goes on."""

    def advance(self, token: int) -> None:
        """Moves on past the next token."""
        ...

    def propose(self) -> Ids:
        """What may come next; empty for no idea."""
        ...


class Drafter:
    """Follows one answer: boxes and literals first, then repeated runs of tokens."""

    def __init__(self, rules: DraftRules, *, prompt_ids: Sequence[int]) -> None:
        """Starts before the first token of the answer to a prompt."""
        self.sources: list[DraftSource] = [BoxDrafts(rules)]
        if rules.ngram:
            self.sources.append(RepeatDrafts(prompt_ids, longest=rules.ngram))

    def advance(self, token: int) -> None:
        """Moves on past the next token."""
        for source in self.sources:
            source.advance(token)

    def propose(self, *, room: int = NGRAM_ROOM) -> Ids:
        """What may come next, by the first source that has an idea; empty for none.

        Args:
            room: tokens that the step can take; where they are few, boxes and literals alone are offered.
        """
        sources = self.sources if room >= NGRAM_ROOM else self.sources[:1]
        return next((draft[:room] for source in sources if (draft := source.propose())), ())


class BoxDrafts:
    """Literals of boxes, and the boxes that are known."""

    def __init__(self, rules: DraftRules) -> None:
        """Starts before the first token."""
        self.rules = rules
        self.gives = STAGES[rules.stage].gives
        self.numbers: list[int] | None = None  # of the box that is being written, with what stands between them
        self.words: list[int] = []  # since the last number of the box before
        self.num_boxes = 0
        self.waiting = list(rules.known)

    def advance(self, token: int) -> None:
        """Moves on past the next token."""
        spelling = self.rules.spelling
        if token == spelling.opening[-1]:
            self.numbers = []
            self.num_boxes += 1
        elif self.numbers is None or token in spelling.closing[:1]:
            self._end_box()
            self.words.append(token)
        else:
            self.numbers.append(token)
            if not spelling.between and len(self.numbers) == 4:
                self._end_box()

    def propose(self) -> Ids:
        """What may come next; empty for no idea."""
        if self.numbers is not None:
            return self._rest_of_box(self.numbers)
        return self._box_of_tag() if self.gives == "caption" else self._next_entry()

    def _end_box(self) -> None:
        if self.numbers is None:
            return
        written = next((known for known in self.waiting if list(known.box) == self.numbers), None)
        if written:
            self.waiting.remove(written)
        self.numbers, self.words = None, []

    def _rest_of_box(self, numbers: list[int]) -> Ids:
        """The rest of the likeliest box that begins so, else the literal that comes now."""
        for known in self._likely():
            if list(known.box[: len(numbers)]) == numbers:
                return self._whole(known)[len(numbers) :]
        between = self.rules.spelling.between
        commas = [place for place, token in enumerate(numbers) if token in between[:1]]
        since = len(numbers) - commas[-1] if commas else len(between) + len(numbers)
        if since < len(between):
            return between[since:]
        if not between or since - len(between) < NUM_DIGITS:
            return ()
        return between if len(commas) < 3 else self._closing

    def _next_entry(self) -> Ids:
        """In a list: the closing, its end, or the next box, whose numbers may be known."""
        closing, words = self.rules.spelling.closing, tuple(self.words)
        if self.num_boxes:
            if words[: len(closing)] != closing[: len(words)] or self._is_complete():
                return (self.rules.eos,)
            if len(words) < len(closing):
                return closing[len(words) :]
            words = words[len(closing) :]
        if words or self.gives == "boxes":
            return self._opening(words) + next(map(self._whole, self._likely()), ())
        return (*self.rules.spelling.nothing, self.rules.eos) if self.rules.stage == "disc" else ()

    def _box_of_tag(self) -> Ids:
        """In a caption: the box whose tag was just written, or the rest of an opening with the likeliest box."""
        named = [known for known in self.rules.known if known.tag and tuple(self.words[-len(known.tag) :]) == known.tag]
        opening = self._opening(self.words)
        if not named and len(opening) == len(self.rules.spelling.opening):
            return ()
        return opening + next(map(self._whole, self._likely(named or self.rules.known)), ())

    def _likely(self, among: Sequence[Known] | None = None) -> Sequence[Known]:
        """Known boxes that may come now or next, the likeliest first.

        In a caption: those not yet written, then those named last, then those named by more words (`red car`, `car`).
        """
        if self.rules.stage == "tag":
            place = self.num_boxes - (self.numbers is not None)
            return self.rules.known[place : place + 1]
        near = self.words[-NEAR_TOKENS:]
        return sorted(
            self.rules.known if among is None else among,
            key=lambda known: (known not in self.waiting, -_last_place(near, known.tag), -len(known.tag)),
        )

    def _is_complete(self) -> bool:
        return self.rules.stage == "tag" and self.num_boxes >= len(self.rules.known)

    def _whole(self, known: Known) -> Ids:
        """A known box with what follows it."""
        is_last = self.rules.stage == "tag" and known is self.rules.known[-1]
        return known.box + ((*self.rules.spelling.ending, self.rules.eos) if is_last else self._closing)

    @property
    def _closing(self) -> Ids:
        """What follows a box's last number; where there are no tags the next box may open at once."""
        spelling = self.rules.spelling
        return spelling.closing + spelling.opening if self.gives == "boxes" else spelling.closing

    def _opening(self, words: Sequence[int]) -> Ids:
        """The rest of an opening with which the words end, else all of it."""
        opening = self.rules.spelling.opening
        begun = next((size for size in range(len(opening) - 1, 0, -1) if tuple(words[-size:]) == opening[:size]), 0)
        return opening[begun:]


class RepeatDrafts:
    """What followed the same tokens when they stood in prompt or answer before; longer runs of tokens first."""

    def __init__(
        self,
        prompt_ids: Sequence[int],
        *,
        longest: int,
        num_offered: int = NGRAM_DRAFT,
        match: Literal["first", "last"] = "last",
    ) -> None:
        """Reads the prompt.

        Args:
            prompt_ids: what the answer follows.
            longest: tokens compared at most.
            num_offered: tokens of a draft.
            match: where the same tokens stand several times. `first`, with two tokens compared and `LOOKUP_DRAFT`
                offered, is transformers' prompt lookup.
        """
        self.match = match
        self.num_offered = num_offered
        self.ids: list[int] = []
        self.after: dict[Ids, int] = {}  # where the token after a run stands
        self.longest = longest
        for token in prompt_ids:
            self.advance(token)

    def advance(self, token: int) -> None:
        """Moves on past the next token."""
        place = len(self.ids)
        for size in range(1, min(self.longest, place) + 1):
            run = tuple(self.ids[-size:])
            if self.match == "last" or run not in self.after:
                self.after[run] = place
        self.ids.append(token)

    def propose(self) -> Ids:
        """What may come next; empty for no idea."""
        for size in range(min(self.longest, len(self.ids)), 0, -1):
            place = self.after.get(tuple(self.ids[-size:]))
            if place is not None:
                return tuple(self.ids[place : place + self.num_offered])
        return ()


def common_start(one: Sequence[int], other: Sequence[int]) -> Ids:
    """What two sequences begin with alike."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(token for token, _ in pairs)


def _last_place(words: Sequence[int], tag: Ids) -> int:
    """Where a tag ends for the last time among words; 0 if it's not there."""
    ends = range(len(words), len(tag) - 1, -1) if tag else ()
    return next((end for end in ends if tuple(words[end - len(tag) : end]) == tag), 0)
