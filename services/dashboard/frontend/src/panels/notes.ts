/** The log of a plant. */

import { addNote, fetchNotes } from "../data/api";
import type { Note } from "../data/types";
import { h, reconcile, setText } from "../dom";
import { formatMoment } from "../format";
import { t } from "../i18n";
import type { Model } from "../model";
import { operator, remember } from "../prefs";
import type { Actor } from "./alerts";
import { failure, reasonOf } from "./panel";
import { section } from "./plant";

export function notesSection(model: Model, actor: Actor, plantId: string, closed: AbortSignal): HTMLElement {
  const notes = new Map<string, Note>();
  const list = h("ul", { class: "note-list" });
  const none = h("p", { class: "dim" }, t("notesNone"));
  const trouble = h("div", {});
  let loaded = false;
  const draw = () => {
    const sorted = [...notes.values()].sort((a, b) => b.at.localeCompare(a.at));
    none.hidden = !loaded || sorted.length > 0;
    reconcile(list, sorted, ({ note_id }) => note_id, () => h("li", {}, h("p", { class: "note-text" }), h("p", { class: "dim" })), (item, note) => {
      setText(item.children[0]!, note.text);
      setText(item.children[1]!, t("by", { who: note.author, time: formatMoment(note.at, Date.now()) }));
    });
  };
  const put = (more: Note[]) => {
    for (const note of more) notes.set(note.note_id, note);
    draw();
  };
  const load = async () => {
    try {
      const found = await fetchNotes(plantId, closed);
      loaded = true;
      put(found.notes);
      trouble.replaceChildren();
    } catch (error) {
      if (!closed.aborted) trouble.replaceChildren(failure(error, () => void load()));
    }
  };
  model.note.watch((note) => {
    if (note?.plant_id === plantId) put([note]);
  }, closed);
  draw();
  void load();
  return section(t("notes"), trouble, none, list, ...(actor.canAct ? [noteForm(plantId, actor, (note) => put([note]))] : []));
}

function noteForm(plantId: string, actor: Actor, added: (note: Note) => void): HTMLFormElement {
  const text = h("textarea", { rows: 2, required: true, maxlength: 4000, "aria-label": t("noteAdd"), placeholder: t("noteText") });
  const author = h("input", { required: true, maxlength: 64, autocomplete: "name", "aria-label": t("yourName"), placeholder: t("yourName") });
  author.value = actor.user ?? operator();
  author.readOnly = actor.user !== null;
  const send = h("button", { type: "submit", class: "quiet" }, t("save"));
  const wrong = h("p", { class: "form-error", role: "alert" });
  const form = h("form", { class: "note-form" }, text, h("div", { class: "row" }, author, send), wrong);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send.disabled = true;
    if (actor.user === null) remember("operator", author.value.trim());
    addNote(plantId, author.value.trim(), text.value.trim())
      .then((note) => {
        text.value = "";
        wrong.textContent = "";
        added(note);
      })
      .catch((error: Error) => {
        wrong.textContent = t("notSaved", { reason: reasonOf(error.message) });
      })
      .finally(() => {
        send.disabled = false;
      });
  });
  return form;
}
