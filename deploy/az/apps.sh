#!/usr/bin/env bash
# Creates or updates the five container apps without Bicep: bash deploy/az/apps.sh
# What they stand on (environment, hubs, storage, Cosmos DB, registry, identities and their roles) must be there
# already; README.md in this folder lists it. Set the variables in `names` first, but for CLIENT_ID.
set -euo pipefail
cd "$(dirname "$0")"
names=(SUBSCRIPTION_ID RESOURCE_GROUP LOCATION NAME ENVIRONMENT REGISTRY TAG EVENTHUB_NAMESPACE STORAGE_ACCOUNT COSMOS_ACCOUNT INSIGHTS_CONNECTION_STRING HELIOGRAPH_SOURCES CLIENT_ID)

CLIENT_ID=pending
for name in "${names[@]}"; do
  [[ -n ${!name:-} ]] || { echo "apps.sh: $name is not set" >&2; exit 2; }
  export "${name?}"
done
# shellcheck disable=SC2016 # envsubst expands these, not bash
listed=$(printf '${%s} ' "${names[@]}")
for service in ingest analyzer sink thumbnailer dashboard; do
  # shellcheck disable=SC2153 # NAME is one of the names
  CLIENT_ID=$(az identity show --resource-group "$RESOURCE_GROUP" --name "id-$service-$NAME" --query clientId --output tsv)
  export CLIENT_ID
  filled=$(mktemp --suffix .yaml)
  envsubst "$listed" <"$service.yaml" >"$filled"
  if az containerapp show --resource-group "$RESOURCE_GROUP" --name "ca-$service" --output none 2>/dev/null; then
    az containerapp update --resource-group "$RESOURCE_GROUP" --name "ca-$service" --yaml "$filled" --output none
  else
    az containerapp create --resource-group "$RESOURCE_GROUP" --name "ca-$service" --yaml "$filled" --output none
  fi
  rm -f "$filled"
  echo "ca-$service runs $TAG"
done
