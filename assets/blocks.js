// The lines of the log, in blocks, of which only those near what is read are built: however much was said, the page holds
// no more elements than a few screens need. A block that is not built keeps its height. What lines say is not known here.

import { make } from "./elements.js";
import { attempt } from "./guard.js";
import { plainElement } from "./plain.js";

/** Lines of a block; twice as many are divided. */
const LINES = 40;
/** What is nearer to what is in sight than this is built, so that reading on finds it there. */
const NEAR_PX = 1500;
/** In a page that is not drawn, nothing is known to be near: so many blocks are built, and no more. */
const MAX_UNSEEN = 12;
/** How high a line is, until some were measured. */
const USUAL_LINE_PX = 48;

/** What stands in the log between two others. */
export class Line {
  /** Its element, while it is built. */
  element = null;
  /** What stands before its element, and goes with it: the words about several lines. */
  head = null;
  /** Whether the lines that those words are about are shown. */
  isOpen = false;
  /** @type {Block | null} */
  block = null;
  /** The event that it shows, if it shows one. */
  event;
  /** The day that begins with it, if one does. */
  day = "";
  /** Whether it is read aloud where it is built: what has just been said, and nothing that is only shown again. */
  isNew = false;
  #build;

  /**
   * @param {() => HTMLElement} build makes the element anew, each time that it comes near
   * @param {object} [event]
   */
  constructor(build, event) {
    this.#build = build;
    this.event = event;
  }

  build() {
    this.element = attempt(this.#build, () => plainElement(this.event));
    if (!this.isNew) this.element.setAttribute("aria-live", "off");
  }

  takeDown() {
    this.element = null;
    this.head = null;
    this.isNew = false;
  }

  /** Its elements, in order. */
  get parts() {
    return this.head ? [this.head, this.element] : [this.element];
  }
}

/** Lines that are built and taken down together. */
class Block {
  element = make("div", "block");
  /** @type {Line[]} */
  lines = [];
  isBuilt = true;
  /** Whether it was near when it was last looked at. */
  isNear = false;
}

export class Blocks {
  #log;
  #end;
  #keepPlace;
  #arrange;
  /** @type {Block[]} */
  #blocks = [];
  #observer;
  /** The lines and the height of the blocks that were measured. */
  #measured = { lines: 1, height_px: USUAL_LINE_PX };

  /**
   * @param {HTMLElement} log
   * @param {HTMLElement} end what stands behind the last line
   * @param {{
   *   keepPlace: (change: () => void) => void,
   *   arrange: (lines: Line[], before: Line | undefined) => void,
   * }} handlers `keepPlace` makes a change while what is read stays where it is; `arrange` is told of lines that are
   *   built, of one block, and of the line before them
   */
  constructor(log, end, { keepPlace, arrange }) {
    this.#log = log;
    this.#end = end;
    this.#keepPlace = keepPlace;
    this.#arrange = arrange;
    this.#observer = new IntersectionObserver((entries) => this.#looked(entries), {
      root: log,
      rootMargin: `${NEAR_PX}px 0px`,
    });
  }

  /** Puts a line before another one, or at the end. */
  insert(line, next) {
    const block = next ? next.block : this.#lastWithRoom();
    line.block = block;
    block.lines.splice(next ? block.lines.indexOf(next) : block.lines.length, 0, line);
    if (block.isBuilt) {
      line.build();
      block.element.insertBefore(line.element, next ? next.parts[0] : null);
    } else this.#stretch(block, 1);
    if (block.lines.length >= 2 * LINES) this.#divide(block);
    this.#arrangeAround(line.block);
  }

  remove(line) {
    const { block } = line;
    block.lines.splice(block.lines.indexOf(line), 1);
    if (block.isBuilt) line.parts.forEach((part) => part.remove());
    else this.#stretch(block, -1);
    line.takeDown();
    this.#arrangeAround(block);
    if (block.lines.length > 0) return;
    this.#blocks.splice(this.#blocks.indexOf(block), 1);
    this.#observer.unobserve(block.element);
    block.element.remove();
  }

  /** The line before this one. */
  before(line) {
    const { lines } = line.block;
    return lines[lines.indexOf(line) - 1] ?? this.#blockBefore(line.block)?.lines.at(-1);
  }

  /** Makes sure that a line is built. Returns its element. */
  show(line) {
    if (!line.block.isBuilt) this.#keepPlace(() => this.#build(line.block));
    return line.element;
  }

  #lastWithRoom() {
    const last = this.#blocks.at(-1);
    if (last?.lines.length < LINES) return last;
    this.#takeDownUnseen();
    return this.#add(this.#blocks.length);
  }

  #add(index) {
    const block = new Block();
    this.#log.insertBefore(block.element, this.#blocks[index]?.element ?? this.#end);
    this.#blocks.splice(index, 0, block);
    this.#observer.observe(block.element);
    return block;
  }

  /** One block that has become too long is made two. */
  #divide(block) {
    const second = this.#add(this.#blocks.indexOf(block) + 1);
    second.lines = block.lines.splice(LINES);
    second.isBuilt = block.isBuilt;
    second.isNear = block.isNear;
    const { activeElement } = document;
    for (const line of second.lines) {
      line.block = second;
      if (!block.isBuilt) continue;
      // What is moved would be read aloud again.
      line.element.setAttribute("aria-live", "off");
      second.element.append(...line.parts);
    }
    // What is moved loses the keyboard.
    if (second.element.contains(activeElement)) activeElement.focus({ preventScroll: true });
    if (!block.isBuilt) for (const part of [block, second]) this.#setHeight(part, this.#estimate(part));
    this.#arrangeAround(block);
  }

  /** Builds what has come near, and takes down what is far away by now. */
  #looked(entries) {
    const far = [];
    const near = [];
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      const block = this.#blocks.find(({ element }) => element === target);
      if (!block) continue;
      block.isNear = isIntersecting;
      if (isIntersecting && !block.isBuilt) near.push(block);
      else if (!isIntersecting && block.isBuilt) far.push([block, boundingClientRect.height]);
    }
    if (far.length + near.length === 0) return;
    this.#keepPlace(() => {
      for (const [block, height_px] of far) {
        this.#measured.lines += block.lines.length;
        this.#measured.height_px += height_px;
        this.#takeDown(block, height_px);
      }
      near.forEach((block) => this.#build(block));
    });
  }

  /** Nothing is drawn between two lines that come in one burst, or to a page that is out of sight. */
  #takeDownUnseen() {
    const unseen = this.#blocks.filter(({ isBuilt, isNear }) => isBuilt && !isNear);
    if (unseen.length < MAX_UNSEEN) return;
    this.#keepPlace(() => unseen.forEach((block) => this.#takeDown(block, this.#estimate(block))));
  }

  #build(block) {
    block.isBuilt = true;
    block.element.style.height = "";
    for (const line of block.lines) line.build();
    block.element.replaceChildren(...block.lines.map(({ element }) => element));
    this.#arrangeAround(block);
  }

  #takeDown(block, height_px) {
    if (isInUse(block.element)) return;
    block.isBuilt = false;
    for (const line of block.lines) line.takeDown();
    block.element.replaceChildren();
    this.#setHeight(block, height_px);
  }

  #setHeight({ element }, height_px) {
    element.style.height = `${height_px}px`;
  }

  #stretch({ element }, lines) {
    const { height_px, lines: measured } = this.#measured;
    const height = Number.parseFloat(element.style.height) + (lines * height_px) / measured;
    element.style.height = `${Math.max(height, 0)}px`;
  }

  #estimate({ lines }) {
    return (lines.length * this.#measured.height_px) / this.#measured.lines;
  }

  /** The first line of the block behind it stands differently now, perhaps. */
  #arrangeAround(block) {
    const next = this.#blocks[this.#blocks.indexOf(block) + 1];
    for (const part of [block, next]) {
      if (part?.isBuilt) attempt(() => this.#arrange(part.lines, this.#blockBefore(part)?.lines.at(-1)));
    }
  }

  #blockBefore(block) {
    return this.#blocks[this.#blocks.indexOf(block) - 1];
  }
}

/** What is selected in the page. To ask for it lays the page out, so that is done where it changes. */
let selected = null;
document.addEventListener("selectionchange", () => {
  const selection = getSelection();
  selected = selection.rangeCount > 0 && !selection.isCollapsed ? selection.getRangeAt(0) : null;
});

/** What a menu stands at, which gives the keyboard back there. */
const MENU_OPENER = "[aria-haspopup][aria-expanded='true']";

/** Whether taking it down would take something away from whoever uses it: the keyboard, what plays, what is selected. */
function isInUse(element) {
  if (element.contains(document.activeElement) || selected?.intersectsNode(element)) return true;
  if (element.querySelector(MENU_OPENER)) return true;
  return [...element.querySelectorAll("audio,video")].some(({ paused }) => !paused);
}
