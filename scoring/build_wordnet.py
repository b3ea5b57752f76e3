"""Makes `data/wordnet_nouns.txt.xz` from the noun files of Princeton WordNet 3.0.

The Debian packages `wordnet-base` and `wordnet-sense-index` carry WordNet 3.0. Without root:

    apt-get download wordnet-base && dpkg -x wordnet-base_*.deb unpacked
    python -m pancap.scoring.build_wordnet unpacked/usr/share/wordnet

The table holds what tag matching needs and no more, in three parts with an empty line between them:

1. one synset a line, its lemma names with spaces between (`dog domestic_dog Canis_familiaris`);
2. one lemma of several senses a line: the lemma in lower case, then the line numbers (from 0) of its synsets, the most
   frequent sense first. A lemma that is not listed has the one synset in which it stands;
3. one irregular form a line, as in `noun.exc`: the form, then its base forms.
"""

import lzma
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pancap.scoring.wordnet import TABLE_PATH


def build_table(wordnet_dir: Path) -> str:
    """The table as text, from a folder that has `data.noun`, `index.noun` and `noun.exc`."""
    line_of_offset: dict[str, int] = {}
    synsets: list[str] = []
    for fields in _records(wordnet_dir / "data.noun"):
        line_of_offset[fields[0]] = len(synsets)
        num_lemmas = int(fields[3], 16)
        synsets.append(" ".join(fields[4 : 4 + 2 * num_lemmas : 2]))
    senses = []
    for fields in _records(wordnet_dir / "index.noun"):
        num_senses = int(fields[2])
        if num_senses > 1:
            lines = [str(line_of_offset[offset]) for offset in fields[-num_senses:]]
            senses.append(" ".join([fields[0], *lines]))
    exceptions = (wordnet_dir / "noun.exc").read_text(encoding="utf-8").splitlines()
    return "\n\n".join("\n".join(part) for part in (synsets, senses, exceptions)) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Writes the table next to this file."""
    if len(arguments) != 1:
        print("usage: python -m pancap.scoring.build_wordnet FOLDER_OF_DATA_NOUN", file=sys.stderr)
        return 2
    text = build_table(Path(arguments[0]))
    TABLE_PATH.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{TABLE_PATH}: {TABLE_PATH.stat().st_size:,} bytes")
    return 0


def _records(path: Path) -> Iterator[list[str]]:
    """Fields of each line, without the licence text on top (its lines start with a space)."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            yield line.split("|", 1)[0].split()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
