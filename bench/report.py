"""How a benchmark is asked and how it answers: `--json` ends in one line of JSON, `--quick` answers within a minute.

{"bench": name, "unit": what is counted, "ours": number, "peers": {name: number}, "detail": {...}}
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any


def parser(doc: str | None, quick: str) -> argparse.ArgumentParser:
    """The command line that all benchmarks share; `quick` says what is left out to be done within a minute."""
    answer = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    answer.add_argument("--quick", action="store_true", help=f"within a minute: {quick}")
    answer.add_argument("--json", action="store_true", help="end in one line of JSON")
    return answer


def tell(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints the result: one line of JSON, or the same for a person."""
    print(json.dumps(result, allow_nan=False) if as_json else _readable(result), flush=True)


def _readable(result: Mapping[str, Any]) -> str:
    peers = ", ".join(f"{name} {value}" for name, value in result["peers"].items())
    head = f"{result['bench']}: {result['ours']} {result['unit']}" + (f" (peers: {peers})" if peers else "")
    return f"{head}\n{json.dumps(result['detail'], indent=2)}"
