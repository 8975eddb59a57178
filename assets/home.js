// The start page works without this file, which remembers the name for the next time.

import { memory } from "./memory.js";
import { keepShell } from "./shell.js";

const form = document.querySelector("form");
const name = document.querySelector("#name");
const names = memory("localStorage", `snug:${new URL(form.action).pathname}`);

name.value ||= names.read("name") ?? "";
form.addEventListener("submit", () => names.write("name", name.value));
// What was refused is to be typed anew.
document.querySelector("[aria-invalid]")?.select();
keepShell(new URL(form.action).pathname);
