// How a shared file is shown: a picture, sound or a film as such, where the server says it is one, anything else as a
// card to be saved. What a file calls itself counts for nothing.

import { make, small } from "./elements.js";
import { byteSize } from "./format.js";

const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;
const SOUND = /^audio\/(mpeg|ogg|wav)$/;
const FILM = /^video\/(mp4|webm)$/;
/** A picture in the conversation is no larger than this. */
const LARGEST_PX = { width: 360, height: 300 };

/** A longer name is shown without its middle. */
const LONGEST_CHARACTERS = 80;
const END_CHARACTERS = 20;

const { base } = document.body.dataset;
/** The pictures that could not be shown, by the cards in their places. */
const unshown = new Map();

/** @typedef {{name: string, size: number, type: string, width?: number, height?: number, url: string}} SharedFile */

/** @param {SharedFile} file */
export function fileElement(file) {
  const element = make("div", "file");
  if (PICTURE.test(file.type)) element.append(pictureElement(file));
  else if (SOUND.test(file.type)) element.append(playerElement(file, "audio"), cardElement(file));
  else if (FILM.test(file.type)) element.append(playerElement(file, "video"), cardElement(file));
  else element.append(cardElement(file));
  return element;
}

/** Shows what could not be shown before: the network may have been in the way. */
export function tryPicturesAgain() {
  const before = [...unshown];
  unshown.clear();
  for (const [card, file] of before) if (card.isConnected) card.replaceWith(pictureElement(file));
}

/** Where it is found: what the server tells is below its own path. */
export function addressOf({ url }) {
  return base + url.replace(/^\/+/, "");
}

/** Name and size, one below the other; of a long name the end is always there, which says what it is. */
export function labelElement({ name, size }) {
  const element = make("span", "label");
  const words = make("bdi", "file-name");
  words.textContent = shortened(name);
  words.title = name;
  element.append(words, small("", byteSize(size)));
  return element;
}

function shortened(name) {
  const characters = [...name];
  if (characters.length <= LONGEST_CHARACTERS) return name;
  const beginning = characters.slice(0, LONGEST_CHARACTERS - END_CHARACTERS - 1);
  return `${beginning.join("")}…${characters.slice(-END_CHARACTERS).join("")}`;
}

/** Its place is as large as the picture before that is there. */
function pictureElement(file) {
  const { name, width, height } = file;
  const open = make("button", "picture");
  open.type = "button";
  open.setAttribute("aria-haspopup", "dialog");
  open.setAttribute("aria-label", `Picture ${name}: show it large`);
  open.dataset.address = addressOf(file);
  open.dataset.name = name;
  open.title = `${name}, ${byteSize(file.size)}`;
  const image = new Image();
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = name;
  if (width && height) {
    const scale = Math.min(1, LARGEST_PX.width / width, LARGEST_PX.height / height);
    image.width = Math.max(1, Math.round(width * scale));
    image.height = Math.max(1, Math.round(height * scale));
  }
  // What the browser cannot read, or the server has no more, is still told of.
  image.addEventListener("error", () => {
    const card = cardElement(file);
    const hadKeyboard = open === document.activeElement;
    unshown.set(card, file);
    open.replaceWith(card);
    if (hadKeyboard) card.focus();
  });
  image.src = addressOf(file);
  open.append(image);
  return open;
}

function playerElement(file, tag) {
  const element = document.createElement(tag);
  element.controls = true;
  element.preload = tag === "video" ? "metadata" : "none";
  element.playsInline = true;
  element.setAttribute("aria-label", file.name);
  element.src = addressOf(file);
  return element;
}

function cardElement(file) {
  const link = make("a", "card");
  link.href = addressOf(file);
  link.download = file.name;
  link.setAttribute("aria-label", `Save ${file.name}, ${byteSize(file.size)}`);
  link.append(labelElement(file));
  return link;
}
