"""What the page has written down a second time because it must know it before any answer."""

from __future__ import annotations

import re

from heliograph.regions import KOREA
from tests.browser.conftest import ROOT

NAMES = ROOT / "services/dashboard/frontend/src/i18n/regions.ts"


def test_the_page_names_the_provinces_as_the_contracts_do() -> None:
    """Codes, English and Korean names of the 17 provinces are those of `heliograph.regions`."""
    rows = re.findall(r'"(KR-\d\d)": \["([^"]+)", "([^"]+)"\]', NAMES.read_text(encoding="utf-8"))
    assert sorted(rows) == sorted((region.code, region.name, region.name_ko) for region in KOREA)
