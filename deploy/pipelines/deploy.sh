#!/usr/bin/env bash
# The Bicep deployment of prod: deploy.sh what-if|create TAG. "unchanged" as TAG means the images that run now.
# Needs a signed-in az and AZURE_LOCATION, AZURE_ENV_NAME, REGISTRY and the HELIOGRAPH_ variables of prod.bicepparam.
set -euo pipefail
cd "$(dirname "$0")/../azure"
action=${1:?what-if or create} tag=${2:?a tag}
case $action in what-if | create) ;; *) echo "deploy.sh: $action is neither what-if nor create" >&2; exit 2 ;; esac

for service in ingest analyzer sink thumbnailer dashboard; do
  if [[ $tag == unchanged ]]; then
    image=$(az containerapp show --resource-group "rg-$AZURE_ENV_NAME" --name "ca-$service" \
      --query 'properties.template.containers[0].image' --output tsv)
  else
    image="$REGISTRY.azurecr.io/heliograph/$service:$tag"
  fi
  export "${service^^}_IMAGE=$image"
done
az deployment sub "$action" --name "heliograph-${tag:0:40}" --location "$AZURE_LOCATION" --parameters prod.bicepparam
