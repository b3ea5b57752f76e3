"""`python -m pancap.custom_kernels.bench`: needs torch, and on a GPU triton; nothing else of the platform."""

import argparse
import json
import sys

from pancap.custom_kernels.bench.run import OPS, bench_kernels


def main() -> int:
    """Runs and prints; 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m pancap.custom_kernels.bench", description=__doc__)
    parser.add_argument("--ops", nargs="+", choices=OPS, default=list(OPS), metavar="OP", help=", ".join(OPS))
    parser.add_argument("--device", choices=["cuda", "cpu"], help="default: a GPU where there is one")
    parser.add_argument("--rounds", type=int, default=15, help="times each peer is measured (default 15)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    arguments = parser.parse_args()
    found = bench_kernels(
        ops=arguments.ops,
        device=arguments.device,
        rounds=arguments.rounds,
        on_progress=lambda op, done, _: print(f"{op}: {done}", file=sys.stderr, flush=True),
    )
    print(json.dumps(found.to_dict()) if arguments.json else found.render())
    return 0 if found.is_correct else 1


if __name__ == "__main__":
    sys.exit(main())
