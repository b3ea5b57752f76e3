"""PancapScore of captions: extract, match, ask, count."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pancap.caption.content import CaptionContent
from pancap.caption.formats import sapancap
from pancap.configs.errors import TooManyBadRowsError, UsageError
from pancap.scoring.config import ScoreConfig
from pancap.scoring.encoder import Encoder, load_encoder
from pancap.scoring.judges.base import BatchJudge, Inquiry, Judge, OneByOne, Support
from pancap.scoring.matching import Matching, Rules, match_entities
from pancap.scoring.report import ScoreReport, build_report
from pancap.scoring.results import ImageScore, PrecisionRecall
from pancap.scoring.strict_rules import phrases_to_encode
from pancap.scoring.words import count_tokens, count_words

Progress = Callable[[str, int, int | None], None]

# Pairs whose tags are encoded together: enough to fill batches, few enough to keep memory flat.
_CHUNK_PAIRS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A judge, a rule set and an encoder, ready to score.

    Args:
        judge: reads captions and says what another caption supports, one at a time or many.
        encoder: similarity of tags.
        rules: see `pancap.scoring.matching`; `official` also counts as the published scripts do.
    """

    judge: Judge | BatchJudge
    encoder: Encoder
    rules: Rules = "strict"

    def score(self, candidate: str, reference: str) -> ImageScore:
        """One caption against its reference.

        Raises:
            TooManyBadRowsError: the judge gave no valid reply about one of the two.
        """
        (score,) = self.score_many([(candidate, reference)])
        if score is None:
            raise TooManyBadRowsError("the judge could not read one of the two captions; its replies say why")
        return score

    def score_many(self, pairs: Sequence[tuple[str, str]]) -> list[ImageScore | None]:
        """Candidates against their references; None where the judge could not read one of the two."""
        contents = iter(self._batch_judge.extract_all([caption for pair in pairs for caption in pair]))
        read = [
            (place, candidate, reference)
            for place, (candidate, reference) in enumerate(zip(contents, contents, strict=True))
            if candidate is not None and reference is not None
        ]
        found = self._score([both for _, *both in read], [pairs[place] for place, *_ in read])
        scores: list[ImageScore | None] = [None] * len(pairs)
        num_tokens = count_tokens([candidate for candidate, _ in pairs])
        for (place, *_), score in zip(read, found, strict=True):
            text = pairs[place][0]
            scores[place] = replace(
                score,
                num_words=count_words(text),
                num_tokens=num_tokens[place] if num_tokens else None,
                is_valid=bool(text.strip()),
            )
        return scores

    def score_contents(
        self, candidate: CaptionContent, reference: CaptionContent, *, num_words: int = 0, is_valid: bool = True
    ) -> ImageScore:
        """The same from contents that were extracted before, for a judge that needs nothing else."""
        (score,) = self._score([(candidate, reference)], [("", "")])
        return replace(score, num_words=num_words, is_valid=is_valid)

    @property
    def _batch_judge(self) -> BatchJudge:
        return self.judge if isinstance(self.judge, BatchJudge) else OneByOne(self.judge)

    def _score(
        self, contents: Sequence[Sequence[CaptionContent]], captions: Sequence[tuple[str, str]]
    ) -> list[ImageScore]:
        """Matches, asks about both sides of every pair at a time, counts."""
        self._encode_tags(contents)
        matchings = [
            match_entities(candidate.entities, reference.entities, rules=self.rules, encoder=self.encoder)
            for candidate, reference in contents
        ]
        inquiries = []
        for (candidate, reference), texts, matching in zip(contents, captions, matchings, strict=True):
            to_reference, to_candidate = matching.candidate_to_reference(), matching.reference_to_candidate()
            inquiries += [
                Inquiry(items=candidate, other=reference, other_caption=texts[1], mapping=to_reference),
                Inquiry(items=reference, other=candidate, other_caption=texts[0], mapping=to_candidate),
            ]
        supports = iter(self._batch_judge.supported_all(inquiries))
        return [
            self._count(candidate, reference, matching, precise=next(supports), recalled=next(supports))
            for (candidate, reference), matching in zip(contents, matchings, strict=True)
        ]

    def _encode_tags(self, contents: Iterable[Sequence[CaptionContent]]) -> None:
        """Encodes the tags of many pairs in large batches; scoring gives the same without it, more slowly."""
        pairs = [[[entity.tag for entity in content.entities] for content in pair] for pair in contents]
        if self.rules == "official":
            self.encoder.prepare(tag for pair in pairs for tags in pair for tag in tags)
        else:
            self.encoder.prepare(tag for pair in pairs for tag in phrases_to_encode(*pair))

    def _count(
        self,
        candidate: CaptionContent,
        reference: CaptionContent,
        matching: Matching,
        *,
        precise: Support,
        recalled: Support,
    ) -> ImageScore:
        num_pairs, num_located = len(matching.pairs), matching.num_located
        counted = _matched_answers(candidate, precise, matching) if self.rules == "official" else precise
        return ImageScore(
            tag=self._rate(num_pairs, len(candidate.entities), num_pairs, len(reference.entities)),
            loc=self._rate(num_located, _num_boxed(candidate), num_located, _num_boxed(reference)),
            att=self._answers_rate(counted.attributes, recalled.attributes),
            rel=self._answers_rate(counted.relations, recalled.relations),
            glo=self._answers_rate(counted.globals, recalled.globals),
            matching=matching,
            num_words=0,
        )

    def _answers_rate(
        self, precise: Sequence[float | None], recalled: Sequence[float | None]
    ) -> PrecisionRecall | None:
        """None also where a side has items and not one valid answer."""
        sides = [[answer for answer in side if answer is not None] for side in (precise, recalled)]
        if any(answers and not valid for answers, valid in zip((precise, recalled), sides, strict=True)):
            return None
        points = [sum(side) if self.rules == "official" else sum(answer == 1 for answer in side) for side in sides]
        return self._rate(points[0], len(sides[0]), points[1], len(sides[1]))

    def _rate(
        self, num_precise: float, num_candidate: int, num_recalled: float, num_reference: int
    ) -> PrecisionRecall | None:
        """Strict: None where neither side has items. Official: 0 then, which stays in the mean."""
        if self.rules == "strict" and not num_candidate and not num_reference:
            return None
        precision = num_precise / num_candidate if num_candidate else 0.0
        recall = num_recalled / num_reference if num_reference else 0.0
        return PrecisionRecall.from_rates(precision, recall)


def score_pair(
    candidate: str,
    reference: str,
    *,
    rules: Rules = "strict",
    encoder: str = "minilm",
    judge: Judge | BatchJudge | None = None,
) -> ImageScore:
    """PancapScore of one caption.

    Args:
        candidate: caption that is scored, boxes as `[[x1, y1, x2, y2]]` fractions.
        reference: caption of the same image that is taken as true.
        rules: `strict` or `official`.
        encoder: `minilm`, `none` or a model folder.
        judge: reads the captions; the rule-based one if None.
    """
    return Scorer(judge=judge or _rule_judge(), encoder=load_encoder(encoder), rules=rules).score(candidate, reference)


def score_captions(
    candidates: Mapping[str, str],
    references: Mapping[str, str],
    config: ScoreConfig | None = None,
    *,
    on_progress: Progress | None = None,
) -> ScoreReport:
    """PancapScore of the captions of many images.

    Args:
        candidates: caption of each image, by image id.
        references: caption that is taken as true, by the same ids. An empty candidate scores 0.
        config: rules, judge, encoder, intervals; the defaults if None.
        on_progress: called with what is done, how many images, of how many.

    Raises:
        UsageError: the ids differ (unless `allow_missing`), nothing is left, a reference is empty, or the judge cannot
            be used as configured.
        TooManyBadRowsError: too few of the judge's replies are valid.
        StoppedError: the judge's model is gone; the same call goes on where it was.
    """
    config = config or ScoreConfig()
    images, missing = check_images(candidates, references, allow_missing=config.allow_missing)
    encoder = load_encoder(config.encoder)
    judge = load_judge(config, on_progress=on_progress)
    try:
        scorer = Scorer(judge=judge, encoder=encoder, rules=config.rules)
        scores: dict[str, ImageScore] = {}
        for start in range(0, len(images), _CHUNK_PAIRS):
            chunk = images[start : start + _CHUNK_PAIRS]
            found = scorer.score_many([(candidates[image], references[image]) for image in chunk])
            scores |= {image: score for image, score in zip(chunk, found, strict=True) if score}
            if on_progress:
                on_progress("score", start + len(chunk), len(images))
        judge.check()
        if not scores:
            raise TooManyBadRowsError("the judge could read the captions of no image; its replies say why")
    finally:
        judge.close()
    return build_report(
        scores,
        bootstrap=config.bootstrap,
        seed=config.seed,
        references=[references[image] for image in scores],
        bad_boxes=(
            *_find_bad_boxes(candidates, scores, where="candidate"),
            *_find_bad_boxes(references, scores, where="reference"),
        ),
        missing=missing,
        unjudged=tuple(image for image in images if image not in scores),
        judge=judge.label,
        judge_replies=judge.replies,
        judge_notes=judge.notes,
        rules=config.rules,
        encoder=encoder.name,
    )


def load_judge(config: ScoreConfig, *, on_progress: Progress | None = None) -> BatchJudge:
    """The judge that a configuration names.

    Raises:
        UsageError: its model, prompts or store cannot be used as configured.
    """
    if config.judge == "llm":
        from pancap.scoring.judges.llm.judge import LlmJudge

        return LlmJudge(config.llm, on_progress=on_progress)
    return OneByOne(_rule_judge())


def check_images(
    candidates: Mapping[str, str], references: Mapping[str, str], *, allow_missing: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Images of both sides in the references' order, and those of one side only.

    Raises:
        UsageError: see `score_captions`.
    """
    without_candidate = [image for image in references if image not in candidates]
    without_reference = [image for image in candidates if image not in references]
    missing = (*without_candidate, *without_reference)
    if missing and not allow_missing:
        parts = [
            _list_images("without a candidate", without_candidate),
            _list_images("without a reference", without_reference),
        ]
        raise UsageError(
            f"candidates and references must be of the same images, got {' and '.join(filter(None, parts))}; "
            "add the captions, or set allow_missing=true to score the others"
        )
    images = [image for image in references if image in candidates]
    if not images:
        raise UsageError("candidates and references have no image in common; check that both name images the same way")
    empty = [image for image in images if not references[image].strip()]
    if empty:
        raise UsageError(f"a reference must not be empty, got {_list_images('with an empty one', empty)}; remove them")
    return images, missing


def _find_bad_boxes(captions: Mapping[str, str], images: Iterable[str], *, where: str) -> Iterator[str]:
    """Where a caption has brackets that are no box, and why."""
    for image in images:
        for dropped in sapancap.parse(captions[image]).dropped:
            yield f"{dropped} in the {where} of {image}"


def _list_images(what: str, images: Sequence[str]) -> str:
    if not images:
        return ""
    shown = ", ".join(images[:5]) + (", ..." if len(images) > 5 else "")
    return f"{len(images)} {what} ({shown})"


def _matched_answers(content: CaptionContent, support: Support, matching: Matching) -> Support:
    """Answers about what the published scripts ask: items of matched entities, and every global item."""
    matched = matching.candidate_to_reference()
    attributes = zip(content.attributes, support.attributes, strict=True)
    relations = zip(content.relations, support.relations, strict=True)
    return Support(
        attributes=tuple(answer for item, answer in attributes if item.entity_id in matched),
        relations=tuple(answer for r, answer in relations if r.subject_id in matched and r.object_id in matched),
        globals=support.globals,
    )


def _num_boxed(content: CaptionContent) -> int:
    return sum(entity.box is not None for entity in content.entities)


def _rule_judge() -> Judge:
    from pancap.scoring.judges.rule import RuleJudge

    return RuleJudge()
