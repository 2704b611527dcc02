"""Counts how shares of clear-day power follow each other, for the analyzer's table (`analyzer/skies.csv`).

    python -m bench.skies DIRECTORY [--out FILE]

The directory holds, unpacked, the source distributions of PyPI named in `SOURCES`; the last source is in pvanalytics,
which is installed. None of them is among the traces that `bench.detection` reports on. Powers and horizontal
irradiances (a pyranometer sees the sky that a plant sees) are taken by the quarter hour, half hour and hour, and held
to the clear-day power that the analyzer itself learns of them.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pvlib.iotools import read_bsrn  # type: ignore[import-untyped]

from analyzer.evidence import (
    BRIGHT_SHARE,
    CLASSES,
    LEAST_LOG,
    MOST_LOG,
    MOVES,
    NEAR,
    RECENT,
    SHARES,
    STEPS_S,
    moves_of,
    row_of,
)
from analyzer.memory import ZERO_SHARE
from analyzer.profiles import Profiles, Window
from bench.traces import DATA, Floats, micros_of

SOURCES = (
    "solar_data_tools-2.1.5/sdt_dask/examples/example_data/ZT162185000441C1203.csv",
    "solar_data_tools-2.1.5/sdt_dask/examples/example_data/TAEFC1044741.csv",
    "solcast-1.6.0/docs/notebooks/data/3.4b_sample_measurements.csv",
    "bifacial_radiance-0.5.4/tests/Custom_WeatherFile_2years_15mins_BESTFieldData.csv",
    "pvlib-0.9.5/pvlib/data/bsrn-lr0100-pay0616.dat",
)
"""Two plants, a roof, and the pyranometers of Golden and Payerne."""
LONGEST_DAYS = 400
MOST_OF_ONE = 4000
"""Moves that one source counts as, so that no place rules."""
ROW_BLUR, ROW_BLUR_ALL = 0.7, 1.0
"""Neighbouring rows count by a Gaussian of so many rows: within a class, and over all of them."""
PRIOR = 20.0
"""Moves as which the row over all classes counts for each of them."""
SCALE = 10_000


def sources(directory: Path) -> Iterator[tuple[str, pd.Series]]:
    """Names, and powers or irradiances by their UTC times."""
    one, other, roof, golden, payerne = [directory / path for path in SOURCES]
    for path in (one, other):
        frame = pd.read_csv(path)
        yield path.stem, pd.Series(frame.meas_val_f.to_numpy(float), pd.to_datetime(frame.ts, utc=True))
    frame = pd.read_csv(roof)
    yield "roof", pd.Series(frame.rooftop_meas.to_numpy(float), pd.to_datetime(frame.period_end, utc=True))
    frame = pd.read_csv(golden, skiprows=1)
    times = pd.to_datetime(frame.iloc[:, 0] + " " + frame.iloc[:, 1], errors="coerce")
    series = pd.Series(frame["GHI (W/m^2)"].to_numpy(float), times)[times.notna().to_numpy()]
    yield "golden", series.tz_localize("Etc/GMT+7")
    yield "payerne", read_bsrn(str(payerne))[0].ghi
    frame = pd.read_parquet(DATA / "system_15_poa_irradiance.parquet")
    times = pd.to_datetime(frame.measured_on, utc=True)
    yield "system 15", pd.Series(frame.poa_irradiance__484.to_numpy(float), pd.DatetimeIndex(times))


def shares(series: pd.Series, step_s: int) -> tuple[Floats, Floats]:
    """Times in seconds of the slots in which a share means something, and its logarithm."""
    times = micros_of(pd.DatetimeIndex(series.index)) // (step_s * 1_000_000)
    values = np.maximum(series.to_numpy(float), 0.0)
    known = np.isfinite(values) & (times - times.min() < LONGEST_DAYS * 86_400 // step_s)
    slots, place = np.unique(times[known], return_inverse=True)
    power = np.bincount(place, values[known]) / np.bincount(place)
    capacity, line, yes = np.full(1, np.quantile(power, 0.999)), np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.bool_)
    none = np.full(1, np.nan)
    profiles, clear = Profiles.blank(1), np.empty(slots.size)
    for number, start_us in enumerate((slots * step_s * 1_000_000).tolist()):
        clear[number] = profiles.clear_kw(line, start_us)[0]
        window = Window(start_us, power[number : number + 1], none, capacity, yes, yes, none, ~yes)
        profiles = profiles.after(line, window)
    told = (clear > BRIGHT_SHARE * capacity) & (power >= ZERO_SHARE * capacity)
    return slots[told] * float(step_s), np.clip(np.log(power[told] / clear[told]), LEAST_LOG, MOST_LOG)


def moves(seconds: Floats, logs: Floats, step_s: int) -> Floats:
    """(SHARES, CLASSES, moves) how often each was seen."""
    recent = np.full((logs.size, RECENT), np.nan)
    together = np.ones(logs.size, dtype=np.bool_)
    near = np.diff(seconds, prepend=-np.inf) <= NEAR * step_s
    for back in range(RECENT):
        together[back:] &= near[: near.size - back]
        together[:back] = False
        recent[back + 1 :, back] = np.where(together[back + 1 :], logs[: -back - 1], np.nan)
    begun = ~np.isnan(recent[:, 0])
    kind, move = moves_of(recent[begun], logs[begun])
    counts = np.zeros((SHARES, CLASSES, len(MOVES) + 1))
    np.add.at(counts, (row_of(recent[begun, 0]), kind, move), 1.0)
    return counts * min(1.0, MOST_OF_ONE / max(int(begun.sum()), 1))


def smoothed(counts: Floats) -> Floats:
    """Probabilities: neighbouring rows blurred, and classes seldom seen drawn to the row over all classes."""
    rows = np.arange(SHARES)
    blur, blur_all = (np.exp(-0.5 * ((rows[:, None] - rows) / width) ** 2) for width in (ROW_BLUR, ROW_BLUR_ALL))
    overall = blur_all @ counts.sum(axis=1) + 0.5
    overall /= overall.sum(axis=1, keepdims=True)
    near = np.einsum("rq,qcm->rcm", blur, counts)
    result: Floats = (near + PRIOR * overall[:, None]) / (near.sum(axis=2, keepdims=True) + PRIOR)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--out", type=Path, default=Path("skies.csv"))
    options = parser.parse_args(arguments)
    missing = [str(options.directory / path) for path in SOURCES if not (options.directory / path).is_file()]
    if missing:
        parser.error(f"not there: {', '.join(missing)}")
    read = list(sources(options.directory))
    with options.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step_s", "row", "class", *(f"to_{move}" for move in range(len(MOVES) + 1))])
        for step_s in STEPS_S:
            counts = np.zeros((SHARES, CLASSES, len(MOVES) + 1))
            for name, series in read:
                found = moves(*shares(series, step_s), step_s)
                print(f"{step_s} s, {name}: {found.sum():.0f} moves")
                counts += found
            often = np.maximum(np.rint(SCALE * smoothed(counts)), 1).astype(int)
            for row, kind in np.ndindex(SHARES, CLASSES):
                table.writerow([step_s, row, kind, *often[row, kind].tolist()])


if __name__ == "__main__":
    main()
