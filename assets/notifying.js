// Telling of what was said while the page is out of sight: a sound, and the system's notification. Both are off until they
// are asked for. The browser itself shows them, and nobody else is told.

import { attempt } from "./guard.js";
import { memory } from "./memory.js";
import { words } from "./words.js";

/** What is told of. */
const LEVELS = ["all", "mentions", "off"];
/** Of a text, so much is shown. */
const SHOWN_CHARACTERS = 200;
/** Two short notes, one above the other. */
const NOTES_HZ = [660, 880];
const NOTE_S = 0.09;
const VOLUME = 0.12;
const ICON = new URL("icon.svg", import.meta.url).href;

export class Notifying {
  #code;
  #memory;
  #handlers;
  #level;
  #hasSound;
  /** @type {AudioContext | null} browsers let a page make one only where somebody does something */
  #audio = null;

  /**
   * @param {string} base the path below which the server is
   * @param {string} code the room
   * @param {{mentionsUs: (event: object) => boolean, remark: (text: string) => void}} handlers
   */
  constructor(base, code, handlers) {
    this.#code = code;
    this.#memory = memory("localStorage", `snug:${base}`);
    this.#handlers = handlers;
    const { level, hasSound } = this.#memory.read("notify") ?? {};
    this.#level = LEVELS.includes(level) ? level : "off";
    this.#hasSound = hasSound === true;
    for (const event of ["pointerdown", "keydown"]) {
      document.addEventListener(event, () => this.#prepareSound(), { capture: true, passive: true });
    }
  }

  /** What can be chosen, for a menu. @returns {import("./menu.js").Item[]} */
  items() {
    const levels = LEVELS.map((level) => ({
      words: words.notifying[level],
      pressed: level === this.#level,
      run: () => this.#choose(level),
    }));
    const sound = { words: words.notifying.sound, pressed: this.#hasSound, run: () => this.#keep(this.#level, !this.#hasSound) };
    return this.#level === "off" ? levels : [...levels, sound];
  }

  /** Somebody else has said something. */
  tell(event) {
    if (!document.hidden || this.#level === "off") return;
    if (this.#level === "mentions" && !this.#handlers.mentionsUs(event)) return;
    if (this.#hasSound) attempt(() => this.#play());
    if (isAllowed()) this.#show(event);
  }

  async #choose(level) {
    this.#keep(level, this.#hasSound);
    if (level === "off") return;
    if (!window.Notification || !isSecureContext) return this.#fallBack(words.notifying.unavailable);
    const permission = await Promise.resolve(Notification.requestPermission()).catch(() => "denied");
    if (permission === "denied") this.#fallBack(words.notifying.denied);
  }

  #fallBack(reason) {
    this.#keep(this.#level, true);
    this.#handlers.remark(reason);
  }

  #keep(level, hasSound) {
    const isNew = hasSound && !this.#hasSound;
    this.#level = level;
    this.#hasSound = hasSound;
    this.#memory.write("notify", { level, hasSound });
    if (!isNew) return;
    // Whoever has chosen it hears it.
    this.#prepareSound();
    attempt(() => this.#play());
  }

  #show({ id, name, text, file }) {
    const body = [...(text || file?.name || "")].slice(0, SHOWN_CHARACTERS).join("");
    // Two tabs that tell of one message tell it once.
    const options = { body, tag: `snug ${this.#code} ${id}`, icon: ICON };
    const heading = `${name} – ${this.#code}`;
    try {
      const notification = new Notification(heading, options);
      notification.onclick = () => {
        window.focus();
        notification.close();
      };
    } catch {
      // Browsers on phones want it from the service worker, which knows where a click leads.
      const data = { url: location.href };
      navigator.serviceWorker?.ready.then((worker) => worker.showNotification(heading, { ...options, data })).catch(() => {});
    }
  }

  /** Is called where somebody does something; elsewhere a browser makes no sound, and complains. */
  #prepareSound() {
    if (!this.#hasSound || this.#level === "off") return;
    attempt(() => {
      this.#audio ??= window.AudioContext ? new AudioContext() : null;
      if (this.#audio?.state === "suspended") this.#audio.resume().catch(() => {});
    });
  }

  #play() {
    const audio = this.#audio;
    if (!audio) return;
    const volume = audio.createGain();
    volume.connect(audio.destination);
    const start = audio.currentTime;
    const end = start + NOTE_S * (NOTES_HZ.length + 1);
    volume.gain.setValueAtTime(VOLUME, start);
    volume.gain.exponentialRampToValueAtTime(0.001, end);
    const tone = audio.createOscillator();
    NOTES_HZ.forEach((note, index) => tone.frequency.setValueAtTime(note, start + index * NOTE_S));
    tone.connect(volume);
    tone.start(start);
    tone.stop(end);
  }
}

function isAllowed() {
  return window.Notification?.permission === "granted";
}
