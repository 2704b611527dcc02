"""Windows, utilisation and faults from the stream of readings.

Pure thinking (no asyncio, no Azure): `columns`, `clock`, `panes`, `windows`, `folds`, `plants`, `sun`, `expectation`,
`rules`, `alerts`, `lane`, `partition`, `snapshot`. The work around it: `worker`, `__main__`.
"""
