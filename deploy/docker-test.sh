#!/usr/bin/env bash
# Builds every image, brings the compose stack up, follows readings, the fleet and a photo through it, kills and
# restarts its containers and follows again, and takes everything down. Needs a Docker engine with compose v2.
#   KEEP=1 leaves the stack up.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-heliograph-test}
export HELIOGRAPH_FLEET_PLANTS=${HELIOGRAPH_FLEET_PLANTS:-200}
export HELIOGRAPH_DASHBOARD_PORT=${HELIOGRAPH_DASHBOARD_PORT:-18080} HELIOGRAPH_INGEST_PORT=${HELIOGRAPH_INGEST_PORT:-18090}
services=(ingest analyzer sink thumbnailer dashboard)
azure=(eventhubs cosmos azurite)

step() { printf '== %4ds %s\n' "$SECONDS" "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

end() {
  local code=$?
  if [[ $code -ne 0 ]]; then
    docker compose ps --all
    docker compose logs --tail 40 || :
  fi
  if [[ -z ${KEEP:-} ]]; then docker compose down --volumes --timeout 5 >/dev/null 2>&1 || :; fi
  exit "$code"
}
trap end EXIT

# Whether a published port says that it is ready, within a minute: on a busy machine a service may stop being so for a while.
ready() {
  for _ in $(seq 60); do
    if python3 -c 'import sys, urllib.request as web; web.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=10)' "$1" 2>/dev/null; then return; fi
    sleep 1
  done
  return 1
}

follow() { step "follow $1"; docker compose exec -T sink python - "$1" <deploy/smoke.py; }

# From within, since Docker takes a kill from outside for the operator's wish and would not start it again.
kill_hard() { docker compose exec -T "$1" python -c 'import os, signal; os.kill(-1, signal.SIGKILL)' >/dev/null 2>&1 || :; }

restarts() { docker inspect -f '{{.RestartCount}}' "$(docker compose ps --quiet "$1")"; }

step 'build'
docker compose build --quiet

step 'start, healthy in order'
docker compose --progress quiet up --detach --wait --wait-timeout 600
ready "$HELIOGRAPH_DASHBOARD_PORT" || fail 'the page is not ready'
ready "$HELIOGRAPH_INGEST_PORT" || fail 'the push API is not ready'

step 'locked down'
for service in "${services[@]}"; do
  docker compose exec -T "$service" python -c 'import os
assert os.getuid() == 10001, os.getuid()
try:
    open("/app/x", "w")
except OSError as error:
    assert error.errno == 30, error
else:
    raise SystemExit("the root file system can be written")
assert not [shell for shell in ("/bin/sh", "/bin/bash", "/usr/bin/apt") if os.path.exists(shell)]
assert os.path.exists("/app/sbom.cdx.json")'
done
for service in analyzer sink thumbnailer cosmos; do
  docker compose exec -T "$service" python -c 'import socket
try:
    socket.create_connection(("1.1.1.1", 443), 3)
except OSError:
    pass
else:
    raise SystemExit("the internal network has a way out")'
done
follow first

for service in "${services[@]}" "${azure[@]}"; do
  before=$(restarts "$service")
  kill_hard "$service"
  for _ in $(seq 60); do [[ $(restarts "$service") -gt $before ]] && break; sleep 0.5; done
  [[ $(restarts "$service") -gt $before ]] || fail "$service was not started again"
  step "killed $service, and it came back"
done
docker compose --progress quiet up --detach --wait --wait-timeout 300
follow after-kills

step 'drain: each service stops on its own, with code 0'
docker compose --progress quiet stop "${services[@]}"
for service in "${services[@]}"; do
  code=$(docker inspect -f '{{.State.ExitCode}}' "$(docker compose ps --all --quiet "$service")")
  [[ $code == 0 ]] || fail "$service ended with code $code"
done
docker compose --progress quiet up --detach --wait --wait-timeout 300
follow after-restart

step 'images'
for service in "${services[@]}" local-azure; do docker image inspect -f '{{index .RepoTags 0}} {{.Size}}' "heliograph/$service"; done |
  awk '{ printf "%-32s %4d MB\n", $1, $2 / 1e6 }'
printf 'docker-test: everything arrived\n'
