/** Photos of a plant by their thumbnails; new ones by drag and drop. */

import { fetchPhotos, thumbnailUrl, uploadPhoto } from "../data/api";
import type { Photo } from "../data/types";
import { h, reconcile } from "../dom";
import { formatDay } from "../format";
import { t } from "../i18n";
import type { Model } from "../model";
import type { Actor } from "./alerts";
import { failure, reasonOf } from "./panel";
import { section } from "./plant";

/** Width of a photo in the grid, px; the smallest thumbnail that fills it is taken. */
const SHOWN_PX = 170;

export function photosSection(model: Model, actor: Actor, plantId: string, closed: AbortSignal): HTMLElement {
  const photos = new Map<string, Photo>();
  const grid = h("ul", { class: "photo-grid" });
  const none = h("p", { class: "dim" }, t("photosNone"));
  const trouble = h("div", {});
  const progress = h("ul", { class: "upload-list", "aria-live": "polite" });
  let loaded = false;
  const draw = () => {
    const sorted = [...photos.values()].filter(({ deleted, thumbnails }) => !deleted && thumbnails.length > 0).sort((a, b) => b.uploaded_at.localeCompare(a.uploaded_at));
    none.hidden = !loaded || sorted.length > 0;
    reconcile(grid, sorted, ({ photo_id }) => photo_id, photoItem, () => undefined);
    for (const photo of photos.values()) finish(progress, photo);
  };
  const put = (more: Photo[]) => {
    for (const photo of more) photos.set(photo.photo_id, photo);
    draw();
  };
  const load = async () => {
    try {
      const found = await fetchPhotos(plantId, closed);
      loaded = true;
      put(found.photos);
      trouble.replaceChildren();
    } catch (error) {
      if (!closed.aborted) trouble.replaceChildren(failure(error, () => void load()));
    }
  };
  model.photo.watch((photo) => {
    if (photo?.plant_id === plantId) put([photo]);
  }, closed);
  draw();
  void load();
  return section(t("photos"), trouble, none, grid, ...(actor.canAct ? [dropZone(plantId, progress, draw), progress] : []));
}

function photoItem(photo: Photo): HTMLLIElement {
  const bySize = [...photo.thumbnails].sort((a, b) => a.width - b.width);
  const small = bySize.find(({ width }) => width >= SHOWN_PX * devicePixelRatio) ?? bySize.at(-1)!;
  const time = formatDay(photo.taken_at ?? photo.uploaded_at);
  const image = h("img", { src: thumbnailUrl(small.blob), alt: t("photoOf", { time }), width: small.width, height: small.height, loading: "lazy", decoding: "async" });
  if (photo.dominant_colour) image.style.setProperty("--placeholder", photo.dominant_colour);
  const link = h("a", { href: thumbnailUrl(bySize.at(-1)!.blob), target: "_blank", rel: "noopener", "aria-label": t("photoOpen", { time }) }, image);
  return h("li", {}, link);
}

function dropZone(plantId: string, progress: HTMLElement, uploaded: () => void): HTMLElement {
  const input = h("input", { type: "file", accept: "image/*", multiple: true, class: "visually-hidden" });
  const zone = h("label", { class: "drop-zone" }, input, t("photoDrop"));
  const take = (files: Iterable<File>) => {
    for (const file of files) void upload(plantId, file, progress).then(uploaded);
  };
  input.addEventListener("change", () => {
    take(input.files ?? []);
    input.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.toggleAttribute("data-over", true);
  });
  zone.addEventListener("dragleave", () => zone.toggleAttribute("data-over", false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.toggleAttribute("data-over", false);
    take(event.dataTransfer?.files ?? []);
  });
  return zone;
}

/** An upload ends with its thumbnails, or with word that there can be none. */
function finish(progress: HTMLElement, photo: Photo): void {
  const line = progress.querySelector<HTMLElement>(`[data-blob="${CSS.escape(photo.blob)}"]`);
  if (photo.deleted || photo.thumbnails.length > 0) line?.remove();
  else if (line) fail(line, t("photoBroken", { name: line.dataset["name"] ?? "" }));
}

function fail(line: HTMLElement, words: string): void {
  if (line.textContent !== words) line.textContent = words;
  line.dataset["failed"] = "";
}

async function upload(plantId: string, file: File, progress: HTMLElement): Promise<void> {
  const line = h("li", {}, t("photoUploading", { name: file.name }));
  progress.append(line);
  try {
    const { blob } = await uploadPhoto(plantId, file);
    line.dataset["blob"] = blob;
    line.dataset["name"] = file.name;
    line.textContent = t("photoWaiting", { name: file.name });
  } catch (error) {
    fail(line, t("photoFailed", { name: file.name, reason: reasonOf((error as Error).message) }));
  }
}
