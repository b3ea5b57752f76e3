"""PancapScore of captions: extract, match, ask, count."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pancap.caption.content import CaptionContent, Entity
from pancap.configs.errors import UsageError
from pancap.scoring.config import ScoreConfig
from pancap.scoring.encoder import Encoder, load_encoder
from pancap.scoring.judges.base import Judge
from pancap.scoring.matching import Rules, match_entities
from pancap.scoring.report import ScoreReport, build_report
from pancap.scoring.results import ImageScore, PrecisionRecall
from pancap.scoring.strict_rules import phrases_to_encode
from pancap.scoring.words import count_words

Progress = Callable[[str, int, int | None], None]

# Pairs whose tags are encoded together: enough to fill batches, few enough to keep memory flat.
_CHUNK_PAIRS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A judge, a rule set and an encoder, ready to score.

    Args:
        judge: reads captions and says what another caption supports.
        encoder: similarity of tags.
        rules: see `pancap.scoring.matching`; `official` also counts as the published scripts do.
    """

    judge: Judge
    encoder: Encoder
    rules: Rules = "strict"

    def score(self, candidate: str, reference: str) -> ImageScore:
        """One caption against its reference."""
        contents = self.judge.extract(candidate), self.judge.extract(reference)
        return self.score_contents(*contents, num_words=count_words(candidate), is_valid=bool(candidate.strip()))

    def prepare(self, contents: Iterable[tuple[CaptionContent, CaptionContent]]) -> None:
        """Encodes the tags of many pairs in large batches; scoring gives the same without it, more slowly."""
        pairs = [[[entity.tag for entity in content.entities] for content in pair] for pair in contents]
        if self.rules == "official":
            self.encoder.prepare(tag for pair in pairs for tags in pair for tag in tags)
        else:
            self.encoder.prepare(tag for pair in pairs for tag in phrases_to_encode(*pair))

    def score_contents(
        self, candidate: CaptionContent, reference: CaptionContent, *, num_words: int = 0, is_valid: bool = True
    ) -> ImageScore:
        """The same from contents that were extracted before."""
        matching = match_entities(candidate.entities, reference.entities, rules=self.rules, encoder=self.encoder)
        to_reference, to_candidate = matching.candidate_to_reference(), matching.reference_to_candidate()
        precise = self.judge.supported(candidate, reference, to_reference)
        recalled = self.judge.supported(reference, candidate, to_candidate)
        asked = _matched_items(candidate, to_reference) if self.rules == "official" else candidate
        return ImageScore(
            tag=self._rate(len(matching.pairs), candidate.entities, len(matching.pairs), reference.entities),
            loc=self._rate(matching.num_located, _boxed(candidate), matching.num_located, _boxed(reference)),
            att=self._rate(sum(precise.attributes), asked.attributes, sum(recalled.attributes), reference.attributes),
            rel=self._rate(sum(precise.relations), asked.relations, sum(recalled.relations), reference.relations),
            glo=self._rate(sum(precise.globals), asked.globals, sum(recalled.globals), reference.globals),
            matching=matching,
            num_words=num_words,
            is_valid=is_valid,
        )

    def _rate(
        self, num_precise: int, candidate_items: Sequence[object], num_recalled: int, reference_items: Sequence[object]
    ) -> PrecisionRecall | None:
        """Strict: None where neither side has items. Official: 0 then, which stays in the mean."""
        if self.rules == "strict" and not candidate_items and not reference_items:
            return None
        precision = num_precise / len(candidate_items) if candidate_items else 0.0
        recall = num_recalled / len(reference_items) if reference_items else 0.0
        return PrecisionRecall.from_rates(precision, recall)


def score_pair(
    candidate: str, reference: str, *, rules: Rules = "strict", encoder: str = "minilm", judge: Judge | None = None
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
        UsageError: the ids differ (unless `allow_missing`), nothing is left, or a reference is empty.
    """
    config = config or ScoreConfig()
    images, missing = check_images(candidates, references, allow_missing=config.allow_missing)
    scorer = Scorer(judge=_rule_judge(), encoder=load_encoder(config.encoder), rules=config.rules)
    scores: dict[str, ImageScore] = {}
    for start in range(0, len(images), _CHUNK_PAIRS):
        chunk = images[start : start + _CHUNK_PAIRS]
        contents = [
            (scorer.judge.extract(candidates[image]), scorer.judge.extract(references[image])) for image in chunk
        ]
        scorer.prepare(contents)
        for image, (candidate, reference) in zip(chunk, contents, strict=True):
            scores[image] = scorer.score_contents(
                candidate,
                reference,
                num_words=count_words(candidates[image]),
                is_valid=bool(candidates[image].strip()),
            )
        if on_progress:
            on_progress("score", len(scores), len(images))
    return build_report(
        scores,
        bootstrap=config.bootstrap,
        seed=config.seed,
        reference_words=sum(count_words(references[image]) for image in images),
        missing=missing,
        judge=f"{scorer.judge.name} v{scorer.judge.version}",
        rules=config.rules,
        encoder=scorer.encoder.name,
    )


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


def _list_images(what: str, images: Sequence[str]) -> str:
    if not images:
        return ""
    shown = ", ".join(images[:5]) + (", ..." if len(images) > 5 else "")
    return f"{len(images)} {what} ({shown})"


def _matched_items(content: CaptionContent, mapping: Mapping[int, int]) -> CaptionContent:
    """What the published scripts ask about: items of matched entities, and every global item."""
    return CaptionContent(
        entities=content.entities,
        attributes=tuple(item for item in content.attributes if item.entity_id in mapping),
        relations=tuple(r for r in content.relations if r.subject_id in mapping and r.object_id in mapping),
        globals=content.globals,
    )


def _boxed(content: CaptionContent) -> list[Entity]:
    return [entity for entity in content.entities if entity.box]


def _rule_judge() -> Judge:
    from pancap.scoring.judges.rule import RuleJudge

    return RuleJudge()
