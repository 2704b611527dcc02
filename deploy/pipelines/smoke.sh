#!/usr/bin/env bash
# Whether the five container apps run what was just deployed: smoke.sh TAG. Needs RESOURCE_GROUP and a signed-in az.
# Every newest revision must be ready and run TAG within five minutes. An app at rest, scaled to zero, is ready too.
set -euo pipefail
tag=${1:?the tag that should run}
deadline=$((SECONDS + 300))

for service in ingest analyzer sink thumbnailer dashboard; do
  while :; do
    read -r newest ready image < <(az containerapp show --resource-group "$RESOURCE_GROUP" --name "ca-$service" --output tsv \
      --query '[properties.latestRevisionName, properties.latestReadyRevisionName, properties.template.containers[0].image]' |
      tr '\n' ' ' && echo)
    if [[ $newest == "$ready" && $image == *":$tag" ]]; then
      echo "ca-$service: $newest is ready"
      break
    fi
    if ((SECONDS > deadline)); then
      echo "ca-$service: $newest is not ready, the last ready one is $ready with $image" >&2
      exit 1
    fi
    sleep 10
  done
done

host=$(az containerapp show --resource-group "$RESOURCE_GROUP" --name ca-dashboard --query properties.configuration.ingress.fqdn --output tsv)
code=$(curl --silent --output /dev/null --max-time 20 --write-out '%{http_code}' "https://$host/readyz" || :)
case $code in
  200) echo "https://$host is ready" ;;
  302 | 401) echo "https://$host stands behind its sign-in" ;;
  403) echo "https://$host refuses this machine's address, as it should where addresses are restricted" ;;
  *) echo "https://$host answers $code" >&2; exit 1 ;;
esac
