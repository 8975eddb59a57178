// The texts of the pages, in the first of the browser's languages that we have: one file of `words/` is loaded. What stands
// in the HTML is in English already, and is put into the same language here.

const LANGUAGES = ["en", "de", "es", "fr"];

const languageOf = (locale) => locale.toLowerCase().split("-")[0];

/** As the browser tells it, with a country where it tells one; undefined where we have none of its languages. */
export const locale = navigator.languages.find((locale) => LANGUAGES.includes(languageOf(locale)));

export const language = languageOf(locale ?? "en");

export const { default: words } = await import(`./words/${language}.js`);

/** Attributes that people read or hear, by the last part of the name of those that say which text it is. */
const ATTRIBUTES = { label: "aria-label", placeholder: "placeholder", title: "title", alt: "alt" };

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-words]")) element.textContent = textFor(element, "words");
for (const [part, attribute] of Object.entries(ATTRIBUTES)) {
  for (const element of document.querySelectorAll(`[data-words-${part}]`)) {
    element.setAttribute(attribute, textFor(element, `words${part[0].toUpperCase()}${part.slice(1)}`));
  }
}

/** Why the server refused something; in its own words where the language has none for that. */
export function refusalWords({ code, message, retry_ms }) {
  const known = words.errors[code];
  if (typeof known === "function") return known(retry_ms && Math.ceil(retry_ms / 1000));
  return known ?? message;
}

/** `data-words="status.connecting"` names the text, and `data-words-value` what is put into it. */
function textFor({ dataset }, name) {
  const text = dataset[name].split(".").reduce((group, key) => group[key], words);
  return typeof text === "function" ? text(dataset.wordsValue) : text;
}
