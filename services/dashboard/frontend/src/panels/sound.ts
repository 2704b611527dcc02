/** A short tone for a new alert, off until the viewer turns it on. */

import { type MessageKey, t } from "../i18n";
import { icon } from "../icons";
import type { Model } from "../model";
import { remember, soundOn } from "../prefs";
import { iconButton } from "./panel";

/** Two notes, the higher first: a fifth apart carries in a noisy room and frightens nobody. */
const NOTES_HZ = [880, 587];
const NOTE_S = 0.16;

function play(): void {
  const audio = new AudioContext();
  NOTES_HZ.forEach((frequency, at) => {
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    const start = audio.currentTime + at * NOTE_S;
    tone.frequency.value = frequency;
    gain.gain.setValueAtTime(0.0001, start);
    gain.gain.exponentialRampToValueAtTime(0.15, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + NOTE_S);
    tone.connect(gain).connect(audio.destination);
    tone.start(start);
    tone.stop(start + NOTE_S);
    if (at === NOTES_HZ.length - 1) tone.addEventListener("ended", () => void audio.close());
  });
}

export function soundSwitch(model: Model): HTMLElement {
  const button = iconButton("soundOff", "", () => {
    remember("sound", soundOn() ? "off" : "on");
    show();
    if (soundOn()) play();
  });
  const show = () => {
    const key: MessageKey = soundOn() ? "soundTurnOff" : "soundTurnOn";
    button.replaceChildren(icon(soundOn() ? "soundOn" : "soundOff"));
    button.setAttribute("aria-label", t(key));
    button.setAttribute("aria-pressed", String(soundOn()));
    button.title = t(key);
  };
  show();
  model.newAlert.watch((alert) => {
    if (alert && alert.severity !== "info" && soundOn()) play();
  });
  return button;
}
