// What an operator can do with somebody who is here.

import { button, make } from "./elements.js";
import { duration } from "./format.js";
import { words } from "./words.js";

const MUTES_S = [600, 3600];
const BANS_S = [600, 3600, 86_400, 604_800];
const USUAL_BAN_S = 3600;

export class MemberActions {
  #menu;
  #moderate;
  #isOperator;

  /**
   * @param {HTMLElement} list
   * @param {import("./menu.js").Menu} menu
   * @param {(order: object) => void} moderate
   * @param {(name: string) => boolean} isOperator
   */
  constructor(list, menu, moderate, isOperator) {
    this.#menu = menu;
    this.#moderate = moderate;
    this.#isOperator = isOperator;
    list.addEventListener("click", ({ target }) => {
      const opener = target.closest(".tools");
      if (opener) this.#open(opener, opener.closest("[data-name]").dataset.name);
    });
  }

  #open(opener, name) {
    const role = this.#isOperator(name)
      ? this.#item(words.member.takeOperator, { action: "deop", name })
      : this.#item(words.member.makeOperator, { action: "op", name });
    this.#menu.open(opener, name, [
      role,
      { words: words.member.askMute, run: () => this.#askToMute(name) },
      { words: words.member.askKick, className: "danger", run: () => this.#askReason("kick", name) },
      { words: words.member.askBan, className: "danger", run: () => this.#askReason("ban", name) },
    ]);
  }

  #item(label, order) {
    const closeAndOrder = () => {
      this.#menu.close();
      this.#moderate(order);
    };
    return { words: label, run: closeAndOrder };
  }

  #askToMute(name) {
    const { muteFor, muteForever } = words.member;
    const times = MUTES_S.map((seconds) => this.#item(muteFor(duration(seconds)), { action: "mute", name, seconds }));
    const ever = this.#item(muteForever, { action: "mute", name });
    const unmute = this.#item(words.member.unmute, { action: "unmute", name });
    this.#menu.show(words.member.mute, [...times, ever, unmute], words.member.muteWhom(name));
  }

  /** Asks for the reason, which everybody sees, and for the time of a ban. */
  #askReason(action, name) {
    const form = make("form", "");
    const title = make("p", "question");
    const reason = field("input", "reason", words.member.reason);
    const time = field("select", "ban-time", words.member.howLong);
    const done = button(words.member[action], () => {});
    title.textContent = words.member[`${action}Whom`](name);
    reason.at(-1).autocomplete = "off";
    time.at(-1).append(...BANS_S.map((seconds) => new Option(duration(seconds), seconds)));
    time.at(-1).value = USUAL_BAN_S;
    done.type = "submit";
    done.className = "primary";
    form.append(title, ...reason, ...(action === "ban" ? time : []), done);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const seconds = action === "ban" ? Number(time.at(-1).value) : undefined;
      this.#menu.close();
      this.#moderate({ action, name, value: reason.at(-1).value.trim() || undefined, seconds });
    });
    this.#menu.showForm(title.textContent, form);
  }
}

/** A field with its label. */
function field(tag, id, about) {
  const label = make("label", "");
  const element = make(tag, "");
  element.id = id;
  label.htmlFor = id;
  label.textContent = about;
  return [label, element];
}
