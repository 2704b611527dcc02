#!/usr/bin/env bash
# The images that the five container apps run: images.sh record FILE | images.sh restore FILE
# "record" before a deployment, "restore" when its smoke test fails. Needs RESOURCE_GROUP and a signed-in az.
set -euo pipefail
action=${1:?record or restore} file=${2:?a file}
services=(ingest analyzer sink thumbnailer dashboard)

record() {
  : >"$file"
  for service in "${services[@]}"; do
    image=$(az containerapp show --resource-group "$RESOURCE_GROUP" --name "ca-$service" \
      --query 'properties.template.containers[0].image' --output tsv 2>/dev/null || :)
    if [[ -n $image ]]; then printf '%s %s\n' "$service" "$image" >>"$file"; fi
  done
  cat "$file"
}

restore() {
  [[ -s $file ]] || { echo 'nothing ran before this deployment: nothing to go back to' >&2; exit 1; }
  while read -r service image; do
    echo "back to $image"
    az containerapp update --resource-group "$RESOURCE_GROUP" --name "ca-$service" --image "$image" --output none
  done <"$file"
}

case $action in
  record | restore) "$action" ;;
  *) echo "images.sh: $action is neither record nor restore" >&2; exit 2 ;;
esac
