/** A short tone for a new alert, off until the viewer turns it on. */

import { type MessageKey, t } from "../i18n";
import { icon } from "../icons";
import type { Model } from "../model";
import { remember, soundOn } from "../prefs";
import { iconButton } from "./panel";

/** Two notes, the higher first: a fifth apart carries in a noisy room and frightens nobody. */
const NOTES_HZ = [880, 587];
const NOTE_S = 0.16;

/** One for the page's life: a browser allows a few, and a fault of many plants brings hundreds of alerts. */
let audio: AudioContext | null = null;
let soundsUntil = 0;

function play(): void {
  audio = audio && audio.state !== "closed" ? audio : new AudioContext();
  // While one tone sounds, another would only be louder; what a browser holds back would all sound at once later.
  if (isHeldBack() || audio.currentTime < soundsUntil) return;
  soundsUntil = audio.currentTime + NOTES_HZ.length * NOTE_S;
  for (const [at, frequency] of NOTES_HZ.entries()) note(audio, frequency, audio.currentTime + at * NOTE_S);
}

function note(audio: AudioContext, frequency: number, start: number): void {
  const tone = audio.createOscillator();
  const gain = audio.createGain();
  tone.frequency.value = frequency;
  gain.gain.setValueAtTime(0.0001, start);
  gain.gain.exponentialRampToValueAtTime(0.15, start + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + NOTE_S);
  tone.connect(gain).connect(audio.destination);
  tone.start(start);
  tone.stop(start + NOTE_S);
}

/** A browser lets no page sound before its viewer has touched it. */
const isHeldBack = (): boolean => audio?.state === "suspended";

export function soundSwitch(model: Model): HTMLElement {
  let untouched = true;
  const button = iconButton("soundOff", "", () => {
    // The first press lets a page sound that was held back, and is no wish for silence.
    if (!(untouched && soundOn() && isHeldBack())) remember("sound", soundOn() ? "off" : "on");
    untouched = false;
    listen();
    if (soundOn()) void audio?.resume().then(play, show);
  });
  const listen = () => {
    if (soundOn() && !audio) audio = new AudioContext();
    audio?.addEventListener("statechange", show);
    void audio?.resume().then(show, show);
    show();
  };
  const show = () => {
    const key: MessageKey = !soundOn() ? "soundTurnOn" : isHeldBack() ? "soundHeldBack" : "soundTurnOff";
    button.replaceChildren(icon(key === "soundTurnOff" ? "soundOn" : "soundOff"));
    button.setAttribute("aria-label", t(key));
    button.setAttribute("aria-pressed", String(soundOn()));
    button.title = t(key);
  };
  listen();
  for (const touch of ["pointerup", "keydown"]) {
    // The press of the button itself is taken above; it must not find the sound let go already, and switch it off.
    addEventListener(touch, ({ target }) => isHeldBack() && target instanceof Node && !button.contains(target) && listen());
  }
  model.newAlert.watch((alert) => {
    if (alert && alert.severity !== "info" && soundOn()) play();
  });
  return button;
}
