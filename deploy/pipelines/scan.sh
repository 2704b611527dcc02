#!/usr/bin/env bash
# Known vulnerabilities in what the lock files pin: Python, the page, and Azurite of the local stack.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -m pip install --quiet --disable-pip-version-check uv==0.13.9
pinned=$(mktemp)
uv export --quiet --frozen --no-dev --all-packages --no-emit-workspace --output-file "$pinned" >/dev/null
uvx pip-audit@2.10.1 --requirement "$pinned" --require-hashes --disable-pip --strict
(cd services/dashboard/frontend && npm audit --omit=dev --audit-level=high)
(cd local/azure/src/local_azure/azurite && npm audit --omit=dev --audit-level=critical)
