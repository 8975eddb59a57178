// The room page: the parts are made here, tied together, and told what the server says.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { setUpCopying, setUpPanel } from "./invitation.js";
import { Members } from "./members.js";
import { Membership } from "./membership.js";
import { Menu } from "./menu.js";
import { MessageActions } from "./message_actions.js";
import { Messages } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Questions } from "./questions.js";
import { Requests } from "./requests.js";
import { Scroll } from "./scroll.js";
import { Status } from "./status.js";
import { Timeline } from "./timeline.js";
import { Typing } from "./typing.js";
import { countUnread } from "./unread.js";
import { Waiting } from "./waiting.js";

const EARLIER_EVENTS = 50;
/** A page of what was missed: the most that the server gives at once, and the least that is asked for. */
const MISSED_EVENTS = 200;
const FEWEST_EVENTS = 10;
/** Before a refused `join` is tried again, without a hint from the server. */
const JOIN_PAUSE_MS = 5000;
/** Refusals that pass, in words for somebody who need do nothing. */
const PASSING = {
  storage_failed: "The server cannot store anything now. Trying again…",
};
/** Close codes of a server that could not take what it was sent, in words for whoever wrote it. */
const UNTAKEN = { 1007: "It is no text that can be sent.", 1009: "It is too long." };
/** How long the page waits for the server to confirm that we left. */
const LEAVE_MS = 1000;

const { base, code, name: pageName, maxMessage } = document.body.dataset;
const prefix = `snug:${base}:${code}`;
const $ = (selector) => document.querySelector(selector);

const membership = new Membership(code, prefix, pageName);
const status = new Status($("#status"));
const members = new Members($("#members"), $("#count"));
const typing = new Typing($("#typing"), () => send({ type: "typing" }));
const scroll = new Scroll($("#timeline"), $("#newer"), askEarlier);
const messages = new Messages({
  deleted: (id) => {
    outbox.forgetMessage(id);
    composer.forgetMessage(id);
  },
});
const timeline = new Timeline({ log: $("#timeline"), earlier: $("#earlier"), waiting: $("#waiting") }, scroll, messages);
const waiting = new Waiting($("#waiting"), scroll, {
  retry: (cid) => outbox.retry(cid),
  edit: mend,
  discard: (cid) => outbox.discard(cid),
});
const menu = new Menu($("#menu"));
const requests = new Requests(send);
new MessageActions($("#timeline"), menu, messages, {
  reply: (message) => composer.begin(aimAt(message, "reply")),
  edit: (message) => composer.begin(aimAt(message, "edit")),
  remove: (message) => outbox.delete(aimAt(message, "delete")),
  react,
  mayDelete: () => false,
});
const outbox = new Outbox(prefix, membership.name, {
  transmit: (message) => connection.send(message),
  changed: (entries) => waiting.show(messages.showPending(entries), membership.name),
  late: () => connection.check(),
  unanswered: () => connection.lose(),
  notDeleted: (words) => composer.remark(words),
});
const questions = new Questions({
  transmit: (message) => connection.send(message),
  unanswered: () => {
    pageEvents = Math.max(Math.ceil(pageEvents / 4), FEWEST_EVENTS);
    connection.lose();
  },
});
const connection = new Connection(webSocketUrl(), {
  opened: () => connection.send(membership.joinMessage(timeline.seen)),
  received: (message) => receive[message.type]?.(message),
  lost: showLoss,
  left: showLeft,
  takenOver: showTakenOver,
});
const composer = new Composer($("#composer"), Number(maxMessage), {
  say,
  edit: (aim, text) => outbox.edit(aim, text),
  editLast: () => messages.lastOwn && composer.begin(aimAt(messages.lastOwn, "edit")),
  nick,
  leave,
  typed: () => typing.typed(),
});

/** Whether the server has let us into the room over the present connection. */
let present = false;
let askingEarlier = false;
/** How much history is asked for at once: less after an answer that did not come in time, as over a slow line. */
let pageEvents = MISSED_EVENTS;
let leaving = false;
let joinTimer = 0;

const receive = {
  joined(message) {
    present = true;
    connection.settle();
    membership.joined(message);
    messages.recognize(message);
    outbox.rename(message.name);
    composer.limit(message.limits.message);
    members.replace(message, message.name);
    acknowledge(message.events);
    const back = timeline.seen !== null;
    const missed = timeline.catchUp(message);
    if (back) missed.forEach(count);
    questions.open(message.limits.rate);
    askMissed();
    askMembers();
    outbox.open(message.limits.rate, message.epoch);
    showOpen();
    if ($("#rename").hidden) return;
    $("#rename").hidden = true;
    composer.focus();
  },

  message(event) {
    outbox.acknowledge(event.cid);
    typing.hide(event.name);
    if (timeline.add(event)) count(event);
    scroll.follow();
  },

  edit(event) {
    outbox.acknowledge(event.cid);
    showAmendment(event);
  },

  delete: showAmendment,
  reaction: showAmendment,

  enter(event) {
    members.enter(event.name, event.via);
    showNotice(event);
  },

  part(event) {
    members.part(event.name);
    typing.hide(event.name);
    showNotice(event);
  },

  nick(event) {
    members.rename(event.name, event.to);
    typing.hide(event.name);
    showNotice(event);
    if (event.name !== membership.name) return;
    questions.answer(event);
    membership.rename(event.to);
    messages.recognize({ name: event.to });
    outbox.rename(event.to);
    showOpen();
  },

  typing({ name }) {
    if (name !== membership.name) typing.show(name);
  },

  history(message) {
    acknowledge(message.events);
    questions.answer(message);
  },

  members(message) {
    questions.answer(message);
  },

  ok({ cid }) {
    outbox.acknowledge(cid);
  },

  error(error) {
    if (requests.refuse(error)) return;
    if (error.cid) outbox.refuse(error.cid, error);
    else if (!present) showRefusal(error);
    else if (!questions.refuse(error) && !outbox.refuseUnderway(error)) composer.remark(error.message);
  },
};

function connect() {
  clearTimeout(joinTimer);
  leaving = false;
  status.show("connecting", "Connecting…");
  connection.connect();
}

/** Sends what is worth nothing later. Returns whether it could. */
function send(message) {
  if (present) connection.send(message);
  return present;
}

function say(kind, text, aim) {
  outbox.add(kind, text, aim && { reply_to: aim.of, epoch: aim.epoch });
  scroll.toEnd();
}

function react({ event }, emoji, on) {
  requests.send({ type: "react", of: event.id, emoji, on }, ({ message }) => composer.remark(message));
}

/** A text that could not be said, or corrected, is mended. */
function mend(cid) {
  const entry = outbox.discard(cid);
  const message = entry.type === "edit" && messages.get(entry.of);
  if (message && !message.state.deleted) composer.begin(aimAt(message, "edit"), entry.text);
  else composer.takeBack(entry);
}

/** What a text is for that is written next. */
function aimAt({ event, state }, action) {
  return { action, of: event.id, epoch: timeline.epoch, kind: event.kind, name: event.name, text: state.text };
}

function nick(name) {
  if (!present) return composer.remark("There is no connection now: try again in a moment.");
  questions.ask({ message: () => ({ type: "nick", name }), refused: ({ message }) => composer.remark(message) });
}

function askEarlier() {
  if (askingEarlier || !present || $("#earlier").hidden) return;
  askingEarlier = true;
  questions.ask({
    message: () => ({ type: "history", before: timeline.first, limit: Math.min(EARLIER_EVENTS, pageEvents) }),
    answered: (page) => {
      askingEarlier = false;
      timeline.addEarlier(page);
    },
    refused: ({ message }) => {
      askingEarlier = false;
      composer.remark(message);
    },
  });
}

/** Fetches what was missed and is not on the page yet, page by page. */
function askMissed() {
  const { gap } = timeline;
  if (!gap) return;
  questions.ask({
    message: () => ({ type: "history", before: gap.before, limit: pageEvents }),
    answered: (page) => {
      timeline.fill(gap, page).forEach(count);
      askMissed();
    },
  });
}

/** Fetches the names that `joined` had no place for, page by page. */
function askMembers() {
  if (!members.incomplete) return;
  questions.ask({
    message: () => members.question(),
    answered: (page) => {
      members.add(page);
      askMembers();
    },
  });
}

/** What is among the events is said, though the answer may have been lost. */
function acknowledge(events) {
  for (const { cid } of events) outbox.acknowledge(cid);
}

function leave() {
  leaving = true;
  membership.forget();
  if (!send({ type: "leave" })) return goHome();
  setTimeout(goHome, LEAVE_MS);
}

function goHome() {
  location.assign(base);
}

/** Counts what others have said for a reader who cannot see it. */
function count({ type, name }) {
  if (type !== "message" || name === membership.name) return;
  countUnread();
  scroll.count();
}

function showNotice(event) {
  timeline.add(event);
  scroll.follow();
}

/** A message changes where it stands. Should it be above what is read, that stays in its place. */
function showAmendment(event) {
  const element = messages.get(event.of)?.element;
  if (element) scroll.changeAt(element, () => timeline.add(event));
  else timeline.add(event);
}

function showOpen() {
  status.show("open", `Connected as ${membership.name}`);
}

function goAway() {
  present = false;
  askingEarlier = false;
  questions.close();
  outbox.close();
}

function showLoss(closeCode) {
  // Sent again over the next connection it would end that one as well.
  if (closeCode in UNTAKEN) outbox.refuseUnderway({ code: "bad_request", message: UNTAKEN[closeCode] });
  else if (closeCode !== undefined) outbox.noteBroken();
  goAway();
  const tryNow = { label: "Try now", run: () => connection.connect() };
  if (navigator.onLine) status.show("reconnecting", "Connection lost. Reconnecting…", tryNow);
  else status.show("offline", "You are offline. What you write waits here.", tryNow);
}

function showLeft() {
  goAway();
  status.show("left", "You have left this room.", { label: "Join again", run: connect });
  if (leaving) goHome();
}

function showTakenOver() {
  goAway();
  status.show("taken-over", "You are in this room in another tab or window.", { label: "Use it here", run: connect });
}

/** The server does not let us in. The connection ends; what comes next depends on why. */
function showRefusal({ code: reason, message, retry_ms }) {
  goAway();
  connection.close();
  if (reason.startsWith("name_")) return askName(message);
  if (reason === "no_such_room") {
    return status.show("refused", message, { label: "To the start page", href: `${base}?code=${encodeURIComponent(code)}` });
  }
  status.show("refused", PASSING[reason] ?? message, { label: "Try now", run: connect });
  // Drawn at random, so that a full room does not come back in one instant; never sooner than allowed.
  joinTimer = setTimeout(connect, (retry_ms ?? JOIN_PAUSE_MS) * (1 + Math.random() / 4));
}

function askName(words) {
  status.show("refused", words);
  $("#rename").hidden = false;
  $("#new-name").value = membership.name;
  $("#new-name").select();
}

/** `ws:` or `wss:`, as the page itself came. */
function webSocketUrl() {
  const url = new URL(`${base}ws`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

$("#earlier").addEventListener("click", askEarlier);
$("#leave").addEventListener("click", leave);
$("#rename").addEventListener("submit", (event) => {
  event.preventDefault();
  membership.choose($("#new-name").value);
  connect();
});
setUpCopying($("#copy"), $("#link"), setUpPanel($("#people"), $("#side")));
composer.focus();
connect();
