"""The judge's prompts: text files that come with the package, or a user's own."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pancap.configs.errors import UsageError

VERSION = "1"  # of the files in prompt_files/
STEPS = ("extract", "contradict", "answer")

_FOLDER = Path(__file__).parent / "prompt_files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The static part of every request, which stands first so that engines compute it once.

    Args:
        extract: caption -> entities, attributes, relations, globals.
        contradict: statement -> contradiction.
        answer: caption, entities and two statements -> two words.
        version: of the package's files, or `own`.
    """

    extract: str
    contradict: str
    answer: str
    version: str

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any of the texts."""
        return hashlib.sha256("\0".join((self.extract, self.contradict, self.answer)).encode()).hexdigest()[:12]


def load_prompts(folder: str = "") -> Prompts:
    """Reads the prompts.

    Args:
        folder: of the user's own `extract.txt`, `contradict.txt` and `answer.txt`, which ask for replies of the same
            form; what is missing there is taken from the package. "" for the package's.

    Raises:
        UsageError: the folder has none of the three files, a text file of another name, an empty file, or no UTF-8.
    """
    texts = {step: _read(_FOLDER / f"{step}.txt") for step in STEPS}
    if not folder:
        return Prompts(**texts, version=VERSION)
    own = {path.stem: path for path in sorted(Path(folder).glob("*.txt"))}
    if not own or own.keys() - set(STEPS):
        got = ", ".join(path.name for path in own.values()) or "none"
        wanted = ", ".join(f"{step}.txt" for step in STEPS)
        raise UsageError(f"llm.prompts must be a folder with some of {wanted}, got {got} in {folder}")
    return Prompts(**{**texts, **{step: _read(path) for step, path in own.items()}}, version="own")


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"prompt file {path} is not readable as UTF-8 ({error})") from error
    if not text:
        raise UsageError(f"prompt file {path} is empty; write a prompt, or remove it")
    return text
