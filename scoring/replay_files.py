"""Replay from the published JSON files: scores, and the mapped question files that go to the judge."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pancap.configs.errors import UsageError
from pancap.scoring.encoder import load_encoder
from pancap.scoring.matching import Rules
from pancap.scoring.published_lines import read_content
from pancap.scoring.replay import ReplayResult, map_questions, match_contents, prepare_tags, replay

_TEXT_KEYS = ("all_content", "questions", "answers")


def replay_files(
    *,
    candidate_content: str | Path,
    reference_questions: str | Path,
    candidate_answers: str | Path,
    reference_answers: str | Path,
    rules: Rules = "strict",
    encoder: str = "minilm",
) -> ReplayResult:
    """Scores saved judge output; images are known by the last three parts of `image_path`.

    Args:
        candidate_content: `all_content` of each candidate.
        reference_questions: `questions` made of each reference.
        candidate_answers: `answers` from the candidates to the references' questions.
        reference_answers: `answers` from the references to the candidates' questions.
        rules: `official` equals the published scripts.
        encoder: `minilm`, `none` or a model folder.

    Raises:
        UsageError: a file cannot be read, lacks an image of the references, or (official rules only) holds an answer
            that the published scripts crash on.
    """
    paths = {"candidate_content": candidate_content, "reference_questions": reference_questions}
    paths |= {"candidate_answers": candidate_answers, "reference_answers": reference_answers}
    texts = read_together(paths)
    try:
        return replay(**texts, rules=rules, encoder=load_encoder(encoder))
    except ValueError as error:
        raise UsageError(f"{error}; score with rules=strict, or mend the line") from error


def read_together(paths: Mapping[str, str | Path]) -> dict[str, dict[str, str]]:
    """Judge output by the names of its files; each has every image of `reference_questions`.

    Raises:
        UsageError: a file cannot be read, or lacks an image.
    """
    texts = {name: read_texts(path) for name, path in paths.items()}
    for name, path in paths.items():
        _check_images(texts[name], texts["reference_questions"], path=path)
    return texts


def match_files(
    *,
    candidate_content: str | Path,
    reference_questions: str | Path,
    out: str | Path,
    rules: Rules = "official",
    encoder: str = "minilm",
) -> int:
    """Writes the questions with the candidate's entity ids, in the published format; gives the number of images.

    Args:
        candidate_content: `all_content` (or `questions`) of the captions that will answer.
        reference_questions: `questions` of the captions that ask.
        out: JSON file that is written.
        rules: of the matching; the text itself is the published one either way.
        encoder: `minilm`, `none` or a model folder.

    Raises:
        UsageError: a file cannot be read or lacks an image, or the folder of `out` is missing.
    """
    if not Path(out).parent.is_dir():
        raise UsageError(f"folder {Path(out).parent} does not exist; make it before the mapped questions are written")
    candidates, references = read_texts(candidate_content), read_texts(reference_questions)
    _check_images(candidates, references, path=candidate_content)
    model = load_encoder(encoder)
    contents = {image: (read_content(candidates[image]), read_content(text)) for image, text in references.items()}
    prepare_tags(contents.values(), encoder=model)
    records = []
    for record in _read_records(reference_questions):
        candidate, reference = contents[image_key(record["image_path"])]
        mapping, _ = match_contents(candidate, reference, rules=rules, encoder=model)
        records.append(
            {
                "image_path": record["image_path"],
                "gt_file": str(reference_questions),
                "cand_file": str(candidate_content),
                "questions": map_questions(candidate, reference, mapping),
            }
        )
    Path(out).write_text(json.dumps(records, indent=4), encoding="utf-8")
    return len(records)


def read_texts(path: str | Path) -> dict[str, str]:
    """Judge output of each image: `all_content`, `questions` or `answers`; of a repeated image the last one.

    Raises:
        UsageError: the file is missing, not JSON, or a record lacks its path or text.
    """
    texts = {}
    for number, record in enumerate(_read_records(path)):
        text = next((record[key] for key in _TEXT_KEYS if key in record), None)
        if not isinstance(record.get("image_path"), str) or not isinstance(text, str):
            keys = ", ".join(_TEXT_KEYS)
            raise UsageError(f"record {number} of {path} must have texts under image_path and one of {keys}")
        texts[image_key(record["image_path"])] = text
    if not texts:
        raise UsageError(f"{path} has no records; expected at least one image")
    return texts


def image_key(path: str) -> str:
    """The last three parts of a path.

    Example:
        >>> image_key("/data/sam/sa_000001/sa_21682.jpg")
        'sam/sa_000001/sa_21682.jpg'
    """
    return "/".join(path.split("/")[-3:])


def _read_records(path: str | Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"file {path} does not exist; give a JSON file of the published format") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} must be UTF-8, got byte {error.object[error.start]:#x} at {error.start}") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON ({error}); is the file cut off?") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UsageError(f"{path} must be a list of records, as the published scripts write it")
    return records


def _check_images(texts: Mapping[str, str], references: Mapping[str, str], *, path: str | Path) -> None:
    missing = [image for image in references if image not in texts]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise UsageError(f"{path} lacks {len(missing)} images of the references ({shown}); add them")
