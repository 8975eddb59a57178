// What holds in the room for everybody: its topic, under its code, and its modes.

import { make } from "./elements.js";
import { duration } from "./format.js";
import { words } from "./words.js";

export class Rules {
  #line;
  topic = "";
  modes = { locked: false, key: false, slow: 0 };

  /** @param {HTMLElement} line */
  constructor(line) {
    this.#line = line;
  }

  /** Begins anew with what `joined` tells. */
  replace({ topic, modes }) {
    this.topic = topic ?? "";
    this.modes = { locked: false, key: false, slow: 0, ...modes };
    this.#show();
  }

  /** Takes a `topic` or `mode` event in. */
  apply({ type, text, change, seconds }) {
    if (type === "topic") this.topic = text ?? "";
    else if (change === "lock" || change === "unlock") this.modes.locked = change === "lock";
    else if (change === "key" || change === "unkey") this.modes.key = change === "key";
    else if (change === "slow") this.modes.slow = seconds ?? 0;
    this.#show();
  }

  #show() {
    const { locked, key, slow } = this.modes;
    const { rules } = words;
    const modes = [locked && rules.locked, key && rules.key, slow && rules.slow(duration(slow))];
    const topic = make("span", "topic");
    topic.dir = "auto";
    topic.textContent = this.topic;
    topic.title = this.topic;
    const badges = modes.filter(Boolean).map((mode) => {
      const badge = make("span", "badge");
      badge.textContent = mode;
      return badge;
    });
    this.#line.replaceChildren(...(this.topic ? [topic] : []), ...badges);
    this.#line.hidden = !this.#line.hasChildNodes();
  }
}
