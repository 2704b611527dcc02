/** The way in where the dashboard asks who is there. */

import { signIn } from "../data/api";
import type { Session } from "../data/types";
import { h } from "../dom";
import { t } from "../i18n";
import { failure, reasonOf } from "./panel";

export function signInPage(session: Session, done: () => void): HTMLElement {
  const box = h("main", { class: "sign-in" }, h("h1", {}, t("title")), h("p", { class: "dim" }, t("signInNeeded")));
  if (session.trouble) box.append(failure(new Error(session.trouble), () => location.reload(), "signInFailed"));
  else box.append(session.mode === "entra" ? h("a", { class: "primary", href: session.sign_in ?? "/" }, t("signInEntra")) : passwordForm(done));
  return box;
}

function passwordForm(done: () => void): HTMLFormElement {
  const name = h("input", { name: "name", required: true, autocomplete: "username", autocapitalize: "none" });
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" });
  const send = h("button", { type: "submit", class: "primary" }, t("signIn"));
  const wrong = h("p", { class: "form-error", role: "alert" });
  const form = h("form", {}, h("label", {}, t("name"), name), h("label", {}, t("password"), password), send, wrong);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send.disabled = true;
    signIn(name.value, password.value)
      .then(done)
      .catch((error: Error & { status?: number }) => {
        send.disabled = false;
        wrong.textContent = error.status === 401 ? t("signInWrong") : t("signInFailed", { reason: reasonOf(error.message) });
        password.select();
      });
  });
  return form;
}
