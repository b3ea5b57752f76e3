"""Where the models that come with the package lie."""

from pathlib import Path


def shipped_models() -> dict[str, Path]:
    """Paths by name; `doctor` checks that they are there."""
    import pancap.chain
    import pancap.engine

    chain = Path(pancap.chain.__file__).parent / "weights"
    engine = Path(pancap.engine.__file__).parent / "weights"
    return {
        "nano chain": chain / "nano",
        "nano one-stage": chain / "nano_one_stage",
        **{f"nano {part}": engine / f"{part}.safetensors" for part in ("proposer", "grounder", "tagger")},
    }
