// Where one writes: the text field, its keys, and the commands that begin with a slash.

import { number } from "./format.js";
import { Purpose } from "./purpose.js";
import { words } from "./words.js";

const ENCODER = new TextEncoder();
/** The code of every key that goes to an input method, which makes a character of several. */
const COMPOSING = 229;

/**
 * @typedef {{action: "say" | "me" | "nick", text: string} | {action: "leave"} | {action: "run", run: () => void}
 *   | {action: "refuse", reason: string}} Intent
 */

export class Composer {
  #field;
  #remark;
  #handlers;
  #limit_bytes;
  #purpose;
  /** What was being written before a correction took the field. */
  #before = "";

  /**
   * @param {HTMLFormElement} form
   * @param {number} limit_bytes of one message
   * @param {{
   *   say: (kind: "say" | "me", text: string, aim: import("./purpose.js").Aim | null) => void,
   *   edit: (aim: import("./purpose.js").Aim, text: string) => void,
   *   editLast: () => void,
   *   nick: (name: string) => void,
   *   leave: () => void,
   *   command: (command: string, argument: string) => {run: () => void} | {reason: string} | null,
   *   typed: () => void,
   * }} handlers
   */
  constructor(form, limit_bytes, handlers) {
    this.#field = form.querySelector("textarea");
    this.#remark = form.querySelector("#remark");
    this.#handlers = handlers;
    this.#limit_bytes = limit_bytes;
    this.#purpose = new Purpose(form.querySelector("#purpose"), () => this.#drop());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => {
      // In Safari a composition is over before the Enter that ends it is told of.
      const isComposing = event.isComposing || event.keyCode === COMPOSING;
      if (isComposing || event.shiftKey) return;
      if (event.key === "Enter") this.#submit();
      else if (event.key === "Escape" && this.#purpose.aim) this.#drop();
      else if (event.key === "ArrowUp" && !this.#field.value && !this.#purpose.aim) handlers.editLast();
      else return;
      event.preventDefault();
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
  remark(remark) {
    this.#remark.textContent = remark;
    this.#remark.hidden = !remark;
  }

  /** Puts a text that could not be said where it can be mended, before what is written there. */
  takeBack({ kind, text }) {
    const typed = kind === "me" ? `/me ${text}` : text.replace(/^\//, "//");
    this.#write([typed, this.#field.value].filter(Boolean).join("\n"));
  }

  /** What is written next replies to a message, or corrects it. @param {import("./purpose.js").Aim} aim */
  begin(aim, text = aim.text) {
    const written = this.#purpose.aim?.action === "edit" ? this.#before : this.#field.value;
    this.#purpose.set(aim);
    if (aim.action === "edit") this.#before = written;
    this.#write(aim.action === "edit" ? text : written);
  }

  /** A message is gone: what is written is for it no more. */
  forgetMessage(of) {
    if (this.#purpose.aim?.of === of) this.#drop();
  }

  #drop() {
    const isEdit = this.#purpose.aim?.action === "edit";
    this.#purpose.set(null);
    if (isEdit) this.#write(this.#before);
    else this.#field.focus();
    this.#before = "";
    this.remark("");
  }

  #write(text) {
    this.#field.value = text;
    this.#grow();
    this.#field.focus();
    this.#field.setSelectionRange(text.length, text.length);
  }

  #submit() {
    const text = this.#field.value.trimEnd();
    const { aim } = this.#purpose;
    if (aim?.action === "edit") return this.#submitEdit(aim, text);
    if (!text.trim()) return;
    const intent = this.#checked(interpret(text, this.#handlers.command));
    if (intent.action === "refuse") {
      this.remark(intent.reason);
      return;
    }
    this.#write("");
    this.remark("");
    this.#carryOut(intent);
  }

  /** A correction is no command, whatever it begins with. */
  #submitEdit(aim, text) {
    if (!text.trim()) return this.remark(words.composer.empty);
    const { action, reason } = this.#checked({ action: "edit", text });
    if (action === "refuse") return this.remark(reason);
    this.#drop();
    if (text !== aim.text) this.#handlers.edit(aim, text);
  }

  #carryOut({ action, text, run }) {
    const { aim } = this.#purpose;
    switch (action) {
      case "leave":
        return this.#handlers.leave();
      case "nick":
        return this.#handlers.nick(text);
      case "run":
        return run();
      default:
        this.#purpose.set(null);
        return this.#handlers.say(action, text, aim);
    }
  }

  #checked(intent) {
    const bytes = ENCODER.encode(intent.text ?? "").length;
    if (bytes <= this.#limit_bytes) return intent;
    return refuse(words.composer.tooLong(number(bytes), number(this.#limit_bytes)));
  }

  /** Gives the unseen copy of the text to the style sheet, which makes the field as high. */
  #grow() {
    this.#field.parentElement.dataset.text = this.#field.value;
  }
}

/**
 * What a person means by a text that is not blank. `otherCommand` reads those that are not about what is said.
 * @returns {Intent}
 */
function interpret(text, otherCommand) {
  if (!text.startsWith("/")) return { action: "say", text };
  if (text.startsWith("//")) return { action: "say", text: text.slice(1) };
  const [, command, argument] = text.match(/^\/(\S*)\s*(.*)$/s);
  switch (command) {
    case "me":
      return argument ? { action: "me", text: argument } : refuse(words.command.me);
    case "nick":
      return argument ? { action: "nick", text: argument } : refuse(words.command.nick);
    case "leave":
      return { action: "leave" };
    default: {
      const { run, reason } = otherCommand(command, argument) ?? {};
      return run ? { action: "run", run } : refuse(reason ?? words.command.unknown(command));
    }
  }
}

function refuse(reason) {
  return { action: "refuse", reason };
}
