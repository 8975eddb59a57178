// The start page works without this file, which remembers the name for the next time, and says why something was refused
// in the browser's language.

import { memory } from "./memory.js";
import { keepShell } from "./shell.js";
import { refusalWords } from "./words.js";

const form = document.querySelector("form");
const name = document.querySelector("#name");
const error = document.querySelector("[data-error]");
const names = memory("localStorage", `snug:${new URL(form.action).pathname}`);

name.value ||= names.read("name") ?? "";
form.addEventListener("submit", () => names.write("name", name.value));
if (error) {
  const said = error.textContent;
  error.textContent = refusalWords({ code: error.dataset.error, message: said });
  document.title = document.title.replace(said, () => error.textContent);
}
// What was refused is to be typed anew.
document.querySelector("[aria-invalid]")?.select();
keepShell(new URL(form.action).pathname);
