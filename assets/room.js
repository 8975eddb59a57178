// The room page: the parts are made here, tied together, and told what the server says.

import { Admission } from "./admission.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Fetching } from "./fetching.js";
import { FileChoice } from "./file_choice.js";
import { setUpCopying, setUpPanel } from "./invitation.js";
import { Members } from "./members.js";
import { Membership } from "./membership.js";
import { Menu } from "./menu.js";
import { MessageActions } from "./message_actions.js";
import { MESSAGES, Messages } from "./messages.js";
import { Order } from "./order.js";
import { Outbox } from "./outbox.js";
import { OwnName } from "./own_name.js";
import { aimAt } from "./purpose.js";
import { Questions } from "./questions.js";
import { Reacting } from "./reacting.js";
import { Requests } from "./requests.js";
import { Scroll } from "./scroll.js";
import { Search } from "./search.js";
import { tryPicturesAgain } from "./shared_file.js";
import { Timeline } from "./timeline.js";
import { Typing } from "./typing.js";
import { countUnread } from "./unread.js";
import { UploadList } from "./upload_list.js";
import { Uploads } from "./uploads.js";
import { Viewer } from "./viewer.js";
import { Waiting } from "./waiting.js";

const NO_CONNECTION = "There is no connection now: try again in a moment.";
const LEFT_BEHIND = "Files are still on their way, and would not be shared. Leave all the same?";
/** Close codes of a server that could not take what it was sent, in words for whoever wrote it. */
const UNTAKEN = { 1007: "It is no text that can be sent.", 1009: "It is too long." };
/** How long the page waits for the server to confirm that we left. */
const LEAVE_MS = 1000;

const { base, code, name: pageName, maxMessage } = document.body.dataset;
const prefix = `snug:${base}:${code}`;
const $ = (selector) => document.querySelector(selector);

const membership = new Membership(code, prefix, pageName);
const members = new Members($("#members"), $("#count"));
const typing = new Typing($("#typing"), () => send({ type: "typing" }));
const scroll = new Scroll($("#timeline"), $("#newer"), askEarlier);
const messages = new Messages({
  deleted: (id) => {
    outbox.forgetMessage(id);
    reacting.forgetMessage(id);
    composer.forgetMessage(id);
    search.amend({ type: "delete", of: id });
  },
  reacting: (id) => reacting.to(id),
});
const lines = { log: $("#timeline"), earlier: $("#earlier"), waiting: $("#waiting") };
const timeline = new Timeline(lines, scroll, messages);
const waiting = new Waiting($("#waiting"), scroll, {
  retry: (cid) => outbox.retry(cid),
  edit: mend,
  discard: (cid) => outbox.discard(cid),
});
const menu = new Menu($("#menu"));
const requests = new Requests(send);
const reacting = new Reacting(requests, {
  changed: (of) => messages.showReacting(of),
  refused: (words) => composer.remark(words),
});
const order = new Order(
  { rules: $("#rules"), list: $("#members"), opener: $("#set"), dialog: $("#settings") },
  menu,
  members,
  {
    ownName: () => membership.name,
    moderate,
    ask: (message, answered, refused) => ask(() => message, answered, refused),
  },
);
new MessageActions($("#timeline"), menu, messages, {
  reply: (message) => composer.begin(aimAt(message, "reply", timeline.epoch)),
  edit,
  remove: (message) => outbox.delete(aimAt(message, "delete", timeline.epoch)),
  react: ({ event }, emoji, on) => reacting.react(event.id, emoji, on),
  mayDelete: () => order.isOurs,
});
const outbox = new Outbox(prefix, membership.name, {
  transmit: (message) => connection.send(message),
  changed: (entries) => waiting.show(messages.showPending(entries), membership.name),
  late: () => connection.check(),
  unanswered: () => connection.lose(),
  notDeleted: (words) => composer.remark(words),
});
const uploadList = new UploadList($("#uploads"), scroll, {
  retry: (cid) => uploads.retry(cid),
  discard: (cid) => uploads.discard(cid),
});
const uploads = new Uploads(`${base}api/v1/rooms/${code}/files`, () => membership.token, {
  changed: (list) => uploadList.show(list),
});
const viewer = new Viewer($("#timeline"), $("#viewer"));
const questions = new Questions({
  transmit: (message) => connection.send(message),
  unanswered: () => {
    fetching.askForLess();
    connection.lose();
  },
});
const fetching = new Fetching(questions, timeline, members, {
  missed: count,
  refused: ({ message }) => composer.remark(message),
});
const ownName = new OwnName({ opener: $("#own"), dialog: $("#account") }, menu, members, {
  name: () => membership.name,
  ask: (message, answered, refused) => ask(() => message, answered, refused),
});
const search = new Search($("#search"), $("#find"), {
  ask: (message, answered, refused) => ask(() => message, answered, refused),
  jumpTo: (id) => messages.jumpTo(id),
});
const startPage = `${base}?code=${encodeURIComponent(code)}`;
const admission = new Admission({ status: $("#status"), form: $("#rename") }, membership, startPage, {
  connect,
  retry: () => connection.connect(),
});
const connection = new Connection(base, {
  opened: () => connection.send(membership.joinMessage(timeline.seen)),
  received: (message) => receive[message.type]?.(message),
  lost: showLoss,
  left: () => {
    goAway();
    admission.showLeft();
    if (leaving) goHome();
  },
  takenOver: (reason) => {
    goAway();
    admission.showTakenOver(reason);
  },
  kicked: (reason) => {
    goAway();
    admission.showKicked(reason);
  },
});
const composer = new Composer($("#composer"), Number(maxMessage), {
  say,
  edit: (aim, text) => outbox.edit(aim, text),
  editLast: () => messages.lastOwn && edit(messages.lastOwn),
  nick,
  leave,
  command: readCommand,
  typed: () => typing.typed(),
});

const fileChoice = new FileChoice(
  { opener: $("#attach"), input: $("#files"), overlay: $("#drop"), dialog: $("#share") },
  { share, refused: (words) => composer.remark(words), closed: () => composer.focus() },
);

/** Whether the server has let us into the room over the present connection. */
let present = false;
let leaving = false;

const receive = {
  joined(message) {
    present = true;
    connection.settle();
    membership.joined(message);
    messages.recognize(message);
    outbox.rename(message.name);
    composer.limit(message.limits.message);
    fileChoice.limit(message.limits);
    members.replace(message, message.name);
    order.replace(message);
    acknowledge(message.events);
    const back = timeline.seen !== null;
    const missed = timeline.catchUp(message);
    message.events.forEach(acknowledgeReaction);
    if (back) missed.forEach(count);
    message.events.forEach(withdraw);
    questions.open(message.limits.rate);
    fetching.missed();
    fetching.members();
    outbox.open(message.limits.rate, message.epoch);
    uploads.open();
    tryPicturesAgain();
    reacting.open(message.epoch);
    if (admission.letIn()) composer.focus();
  },

  message: showMessage,
  file: showMessage,

  edit(event) {
    outbox.acknowledge(event.cid);
    showAmendment(event);
  },

  delete: showAmendment,

  reaction(event) {
    showAmendment(event);
    acknowledgeReaction(event);
  },

  enter(event) {
    members.enter(event);
    showNotice(event);
  },

  part(event) {
    members.part(event.name);
    typing.hide(event.name);
    showNotice(event);
  },

  kick(event) {
    receive.part(event);
  },

  topic: showRule,
  mode: showRule,

  nick(event) {
    members.rename(event.name, event.to);
    typing.hide(event.name);
    showNotice(event);
    if (event.name !== membership.name) return;
    questions.answer(event);
    membership.rename(event.to);
    messages.recognize({ name: event.to });
    outbox.rename(event.to);
    ownName.renamed();
    order.showRole();
    admission.showOpen();
  },

  typing({ name }) {
    if (name !== membership.name) typing.show(name);
  },

  history(message) {
    acknowledge(message.events);
    questions.answer(message);
    message.events.forEach(withdraw);
  },

  members(message) {
    questions.answer(message);
  },

  search(message) {
    questions.answer(message);
  },

  bans(message) {
    questions.answer(message);
  },

  ok(message) {
    if (message.cid) acknowledge([message]);
    else questions.answer(message);
  },

  error(error) {
    if (requests.refuse(error)) return;
    if (error.cid) outbox.refuse(error.cid, error);
    else if (!present) showRefusal(error);
    else if (!questions.refuse(error) && !outbox.refuseUnderway(error)) composer.remark(error.message);
  },
};

function connect() {
  leaving = false;
  admission.showConnecting();
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

/** @param {File[]} files */
function share(files, text) {
  uploads.add(files, text);
  scroll.toEnd();
}

function edit(message, text) {
  composer.begin(aimAt(message, "edit", timeline.epoch), text);
}

/** A text that could not be said, or corrected, is mended. */
function mend(cid) {
  const entry = outbox.discard(cid);
  const message = entry.type === "edit" && messages.get(entry.of);
  if (message && !message.state.deleted) edit(message, entry.text);
  else composer.takeBack(entry);
}

function nick(name) {
  ask(() => ({ type: "nick", name }), undefined, (words) => composer.remark(words), false);
}

/** Asks what the server answers to nobody else. `final`: a refusal is told, also one that passes. */
function ask(message, answered, refused, final = true) {
  if (!present) return refused(NO_CONNECTION);
  questions.ask({ message, answered, refused: (error) => refused(error.message), final });
}

function askEarlier() {
  if (present && !$("#earlier").hidden) fetching.earlier();
}

/** An order of an operator. */
function moderate(order) {
  requests.send({ ...order, type: "moderate" }, ({ message }) => composer.remark(message));
}

/** Commands that are not about what is said. */
function readCommand(command, argument) {
  if (command === "search") return { run: () => search.open(argument) };
  // A password is not typed where everybody sees it.
  const dialog = ownName.dialog(command);
  return dialog ? { run: dialog } : order.read(command, argument);
}

/** What is among the events is said, though the answer may have been lost. */
function acknowledge(events) {
  for (const { cid } of events) {
    if (!cid) continue;
    outbox.acknowledge(cid);
    uploads.acknowledge(cid);
  }
}

/** What was stopped on its way and is there all the same is deleted: its last bytes had left this machine before. */
function withdraw({ type, id, cid }) {
  if (type === "file" && uploads.isUnwanted(cid)) outbox.delete({ of: id, epoch: timeline.epoch });
}

/** A reaction of ours is there: on the page as well, or it would be away for a moment. */
function acknowledgeReaction(event) {
  if (event.type === "reaction" && messages.isOwn({ event })) reacting.acknowledge(event);
}

function leave() {
  if (uploads.areUnderway && !confirm(LEFT_BEHIND)) return;
  uploads.discardAll();
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
  if (!MESSAGES.includes(type) || name === membership.name) return;
  countUnread();
  scroll.count();
}

function showMessage(event) {
  acknowledge([event]);
  typing.hide(event.name);
  if (timeline.add(event)) count(event);
  withdraw(event);
  scroll.follow();
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
  search.amend(event);
  viewer.check();
}

function showRule(event) {
  order.apply(event);
  showNotice(event);
}

function goAway() {
  present = false;
  fetching.stop();
  questions.close();
  outbox.close();
  uploads.close();
}

function showLoss(closeCode) {
  // Sent again over the next connection it would end that one as well.
  if (closeCode in UNTAKEN) outbox.refuseUnderway({ code: "bad_request", message: UNTAKEN[closeCode] });
  else if (closeCode !== undefined) outbox.noteBroken();
  goAway();
  admission.showLoss();
}

/** The server does not let us in, and the connection ends. */
function showRefusal(error) {
  goAway();
  connection.close();
  admission.showRefusal(error);
}

$("#earlier").addEventListener("click", askEarlier);
$("#leave").addEventListener("click", leave);
setUpCopying($("#copy"), $("#link"), setUpPanel($("#people"), $("#side")));
composer.focus();
connect();
