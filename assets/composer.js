// Where one writes: the text field, its keys, and what becomes of its text. Commands are read in `commands.js`, what is
// shown above the field is `strip.js`, what is suggested `suggestions.js`, what is kept `drafts.js`.

import { interpret, refuse, saidOf } from "./commands.js";
import { lengthLeft } from "./length.js";
import { Purpose } from "./purpose.js";
import { Strip } from "./strip.js";
import { Suggestions } from "./suggestions.js";
import { replaceText } from "./text_field.js";
import { words } from "./words.js";

/** The code of every key that goes to an input method, which makes a character of several. */
const COMPOSING = 229;
/** So much of a text is more than the field shows at once, on any screen. */
const SHOWN_LINES = 80;
const SHOWN_CHARACTERS = 10_000;

export class Composer {
  #field;
  #handlers;
  #limit_bytes;
  #purpose;
  #strip;
  #suggestions;
  #drafts;
  /** Whether somebody writes with a finger alone: there Enter breaks the line, as everywhere on the phone. */
  #isTouched = false;
  /** What was being written before a correction took the field. */
  #before = "";

  /**
   * @param {HTMLFormElement} form
   * @param {number} limit_bytes of one message
   * @param {import("./drafts.js").Drafts} drafts
   * @param {import("./suggestions.js").Source[]} sources of suggestions
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
  constructor(form, limit_bytes, drafts, sources, handlers) {
    this.#field = form.querySelector("textarea");
    this.#handlers = handlers;
    this.#limit_bytes = limit_bytes;
    this.#drafts = drafts;
    this.#strip = new Strip(form);
    this.#purpose = new Purpose(form.querySelector("#purpose"), () => this.#drop());
    const spoken = (count) => this.#strip.speak(words.composer.suggested(count));
    // A correction is no command.
    const find = (source) => (before) => (this.#isEdit && before.startsWith("/") ? null : source(before));
    this.#suggestions = new Suggestions(this.#field, form.querySelector("#suggestions"), sources.map(find), spoken);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#field.addEventListener("input", () => {
      this.#changed();
      this.remark("");
      if (this.#field.value && !this.#field.value.startsWith("/")) handlers.typed();
    });
    this.#watchPointer();
    this.#restore();
  }

  limit(bytes) {
    this.#limit_bytes = bytes;
    this.#changed();
  }

  /** Takes the keyboard, unless that would make a touch screen show its own. */
  focus() {
    if (matchMedia("(pointer: fine)").matches) this.#field.focus();
  }

  /** Shows words about what was written; none takes them away. */
  remark(remark) {
    this.#strip.remark(remark);
  }

  /** Tells in passing what was done. */
  tell(text) {
    this.#strip.tell(text);
  }

  /** What was said goes out at this moment of `performance.now()`; 0: nothing waits. */
  countDown(until_ms) {
    this.#strip.countDown(until_ms);
  }

  /** Writes something where the cursor is. */
  insert(text) {
    replaceText(this.#field, this.#field.selectionStart, this.#field.selectionEnd, text);
  }

  /** Puts a text that could not be said where it can be mended, before what is written there. `aim`: what it replied to. */
  takeBack({ kind, text }, aim) {
    // It would become part of the correction.
    if (this.#isEdit) this.#drop();
    if (aim && !this.#purpose.aim && !this.#field.value) this.#purpose.set(aim);
    const typed = kind === "me" ? `/me ${text}` : text.replace(/^\//, "//");
    this.#write([typed, this.#field.value].filter(Boolean).join("\n"));
  }

  /** What is written next replies to a message, or corrects it. @param {import("./purpose.js").Aim} aim */
  begin(aim, text = aim.text) {
    const written = this.#isEdit ? this.#before : this.#field.value;
    this.#purpose.set(aim);
    if (aim.action === "edit") this.#before = written;
    this.#write(aim.action === "edit" ? text : written);
  }

  /** A message is gone: what is written is for it no more. */
  forgetMessage(of) {
    if (this.#purpose.aim?.of === of) this.#drop();
  }

  /**
   * We are in the room, by this name, and ids are those of this epoch. `aimAt`: the message of an id as it is now, if it
   * is on the page.
   */
  joined(name, epoch, aimAt) {
    const { aim } = this.#purpose;
    const isRenamed = this.#drafts.rename(name);
    if (aim && aim.epoch !== epoch) this.#purpose.set(null);
    else if (aim?.action === "reply") this.#purpose.set(aimAt(aim.of) ?? aim);
    if (isRenamed && !this.#field.value && !aim) this.#restore();
    else this.#keep();
  }

  get #isEdit() {
    return this.#purpose.aim?.action === "edit";
  }

  #pressed(event) {
    const { key, shiftKey, ctrlKey, metaKey } = event;
    // In Safari a composition is over before the Enter that ends it is told of.
    if (event.isComposing || event.keyCode === COMPOSING) return;
    if (this.#suggestions.press(event)) return event.preventDefault();
    if (shiftKey) return;
    if (key === "Enter" && (!this.#isTouched || ctrlKey || metaKey)) this.#submit();
    else if (key === "Escape" && this.#purpose.aim) this.#drop();
    else if (key === "ArrowUp" && !this.#field.value && !this.#purpose.aim) this.#handlers.editLast();
    else return;
    event.preventDefault();
  }

  #watchPointer() {
    const touch = matchMedia("(pointer: coarse) and (not (any-pointer: fine))");
    const show = () => {
      this.#isTouched = touch.matches;
      this.#field.enterKeyHint = touch.matches ? "enter" : "send";
    };
    touch.addEventListener("change", show);
    show();
  }

  #drop() {
    const wasEdit = this.#isEdit;
    this.#purpose.set(null);
    if (wasEdit) this.#write(this.#before);
    else {
      this.#field.focus();
      this.#changed();
    }
    this.#before = "";
    this.remark("");
  }

  #write(text) {
    this.#field.value = text;
    this.#suggestions.close();
    this.#changed();
    this.#field.focus();
    this.#field.setSelectionRange(text.length, text.length);
  }

  #submit() {
    const text = this.#field.value.trimEnd();
    const { aim } = this.#purpose;
    if (this.#isEdit) return this.#submitEdit(aim, text);
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
        this.#keep();
        return this.#handlers.say(action, text, aim);
    }
  }

  /** Too long a text stays where it is. */
  #checked(intent) {
    const left = lengthLeft(intent.text ?? "", this.#limit_bytes);
    return left?.isOver ? refuse(words.composer.tooLong(left.characters)) : intent;
  }

  #changed() {
    const text = this.#field.value;
    // The unseen copy of the text gives the style sheet the height of the field. More of it would be beyond the highest.
    this.#field.parentElement.dataset.text = text.split("\n", SHOWN_LINES).join("\n").slice(0, SHOWN_CHARACTERS);
    this.#strip.showLength(this.#isEdit ? text : saidOf(text), this.#limit_bytes);
    this.#keep();
  }

  /**
   * Keeps what is being written. A correction is not kept: what it corrects may be another text by then; nor is a command,
   * which may have a secret in it.
   */
  #keep() {
    const text = this.#isEdit ? this.#before : this.#field.value;
    this.#drafts.keep(saidOf(text) ? text : "", this.#isEdit ? null : this.#purpose.aim);
  }

  /** Goes on with what was being written. */
  #restore() {
    const { text = "", reply } = this.#drafts.read() ?? {};
    if (reply) this.#purpose.set({ ...reply, action: "reply", text: "" });
    this.#field.value = text;
    this.#changed();
  }
}
