"""What an operator should know now: raised once, cleared once, in the log, in the metrics and in the host's status."""

from __future__ import annotations

from heliograph.telemetry import log
from ingest import metrics


class Alarms:
    """The alarms that stand, by subject."""

    def __init__(self) -> None:
        self._standing: dict[str, str] = {}

    @property
    def standing(self) -> dict[str, str]:
        """Subject and reason of each."""
        return dict(self._standing)

    def set(self, subject: str, reason: str | None) -> None:
        """Raises the alarm for the reason, or clears it when there is none."""
        before = self._standing.get(subject)
        if reason is None:
            self._standing.pop(subject, None)
        else:
            self._standing[subject] = reason
        metrics.ALARM.labels(subject).set(reason is not None)
        if reason and before is None:
            log.error("alarm raised", subject=subject, reason=reason)
        elif before and reason is None:
            log.info("alarm cleared", subject=subject)
