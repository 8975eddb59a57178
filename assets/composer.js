// Where one writes: the text field, its keys, and the commands that begin with a slash.

const ENCODER = new TextEncoder();
/** The code of every key that goes to an input method, which makes a character of several. */
const COMPOSING = 229;

/** @typedef {{action: "say" | "me" | "nick", text: string} | {action: "leave"} | {action: "refuse", words: string}} Intent */

export class Composer {
  #field;
  #remark;
  #handlers;
  #limit_bytes;

  /**
   * @param {HTMLFormElement} form
   * @param {number} limit_bytes of one message
   * @param {{
   *   say: (kind: "say" | "me", text: string) => void,
   *   nick: (name: string) => void,
   *   leave: () => void,
   *   typed: () => void,
   * }} handlers
   */
  constructor(form, limit_bytes, handlers) {
    this.#field = form.querySelector("textarea");
    this.#remark = form.querySelector("#remark");
    this.#handlers = handlers;
    this.#limit_bytes = limit_bytes;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => {
      // In Safari a composition is over before the Enter that ends it is told of.
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (event.key !== "Enter" || event.shiftKey || isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("input", () => {
      this.#grow();
      this.remark("");
      if (this.#field.value && !this.#field.value.startsWith("/")) handlers.typed();
    });
    this.#grow();
  }

  limit(bytes) {
    this.#limit_bytes = bytes;
  }

  /** Takes the keyboard, unless that would make a touch screen show its own. */
  focus() {
    if (matchMedia("(pointer: fine)").matches) this.#field.focus();
  }

  /** Shows words about what was written; none takes them away. */
  remark(words) {
    this.#remark.textContent = words;
    this.#remark.hidden = !words;
  }

  /** Puts a text that could not be said where it can be mended, before what is written there. */
  takeBack({ kind, text }) {
    const typed = kind === "me" ? `/me ${text}` : text.replace(/^\//, "//");
    this.#field.value = [typed, this.#field.value].filter(Boolean).join("\n");
    this.#grow();
    this.#field.focus();
  }

  #submit() {
    const text = this.#field.value.trimEnd();
    if (!text.trim()) return;
    const intent = this.#checked(interpret(text));
    if (intent.action === "refuse") {
      this.remark(intent.words);
      return;
    }
    this.#field.value = "";
    this.#grow();
    this.remark("");
    this.#field.focus();
    this.#carryOut(intent);
  }

  #carryOut({ action, text }) {
    switch (action) {
      case "leave":
        return this.#handlers.leave();
      case "nick":
        return this.#handlers.nick(text);
      default:
        return this.#handlers.say(action, text);
    }
  }

  #checked(intent) {
    const bytes = ENCODER.encode(intent.text ?? "").length;
    if (bytes <= this.#limit_bytes) return intent;
    return refuse(`This is ${bytes} bytes long; a message may have ${this.#limit_bytes}.`);
  }

  /** Gives the unseen copy of the text to the style sheet, which makes the field as high. */
  #grow() {
    this.#field.parentElement.dataset.text = this.#field.value;
  }
}

/**
 * What a person means by a text that is not blank.
 * @returns {Intent}
 */
function interpret(text) {
  if (!text.startsWith("/")) return { action: "say", text };
  if (text.startsWith("//")) return { action: "say", text: text.slice(1) };
  const [, command, argument] = text.match(/^\/(\S*)\s*(.*)$/s);
  switch (command) {
    case "me":
      return argument ? { action: "me", text: argument } : refuse("/me needs words: /me waves");
    case "nick":
      return argument ? { action: "nick", text: argument } : refuse("/nick needs a name: /nick ana");
    case "leave":
      return { action: "leave" };
    default:
      return refuse(`There is no /${command} here, only /me, /nick and /leave. To say it as it is, begin with two slashes.`);
  }
}

function refuse(words) {
  return { action: "refuse", words };
}
