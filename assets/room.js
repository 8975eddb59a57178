// The room page: the parts are made here, tied together, and told what the server says.

import { Admission } from "./admission.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { copy } from "./copying.js";
import { Drafts } from "./drafts.js";
import { Fetching } from "./fetching.js";
import { FileChoice } from "./file_choice.js";
import { attempt, inTurn } from "./guard.js";
import "./icons.js";
import { setUpInvitation } from "./invitation.js";
import { Members } from "./members.js";
import { Membership } from "./membership.js";
import { Menu } from "./menu.js";
import { MessageActions } from "./message_actions.js";
import { Messages } from "./messages.js";
import { setUpMore } from "./more.js";
import { Notifying } from "./notifying.js";
import { Order } from "./order.js";
import { Outbox } from "./outbox.js";
import { OwnName } from "./own_name.js";
import { aimAt } from "./purpose.js";
import { Questions } from "./questions.js";
import { Reacting } from "./reacting.js";
import { Reading } from "./reading.js";
import { RecentRooms } from "./recent_rooms.js";
import { Requests } from "./requests.js";
import { Scroll } from "./scroll.js";
import { Search } from "./search.js";
import { Seeking } from "./seeking.js";
import { tryPicturesAgain } from "./shared_file.js";
import { keepShell } from "./shell.js";
import { Side } from "./side.js";
import { commandSource, emojiSource, nameSource } from "./suggestion_sources.js";
import { Timeline } from "./timeline.js";
import { setUpTypingAnywhere } from "./typing_anywhere.js";
import { Typing } from "./typing.js";
import { Unread } from "./unread.js";
import { UploadList } from "./upload_list.js";
import { Uploads } from "./uploads.js";
import { Viewer } from "./viewer.js";
import { Waiting } from "./waiting.js";
import { refusalWords, words } from "./words.js";

/** Close codes of a server that could not take what it was sent, in words for whoever wrote it. */
const UNTAKEN = { 1007: words.waiting.noText, 1009: words.waiting.tooLong };
/** How long the page waits for the server to confirm that we left. */
const LEAVE_MS = 1000;

const { base, code, name: pageName, maxMessage } = document.body.dataset;
const prefix = `snug:${base}:${code}`;
const $ = (selector) => document.querySelector(selector);

/** The outbox tells it of what waits, as soon as there is one. @type {Composer | undefined} */
let composer;
const membership = new Membership(code, prefix, pageName);
const members = new Members($("#members"), $("#count"));
const typing = new Typing($("#typing"), () => send({ type: "typing" }));
const scroll = new Scroll($("#timeline"), $("#newer"), {
  reachedTop: askEarlier,
  reachedEnd: () => reading.noteRead(),
  chosen: () => composer.focus(),
});
const messages = new Messages({
  deleted: (id) => {
    outbox.forgetMessage(id);
    reacting.forgetMessage(id);
    composer.forgetMessage(id);
    search.amend({ type: "delete", of: id });
  },
  reacting: (id) => reacting.to(id),
  jumpTo: (id) => seeking.to(id),
});
const lines = { log: $("#timeline"), earlier: $("#earlier"), waiting: $("#waiting") };
const timeline = new Timeline(lines, scroll, messages, {
  named: (name) => members.mark(name, {}),
  nearing: (gap, isBelow) => present && fetching.between(gap, isBelow),
});
const waiting = new Waiting($("#waiting"), scroll, {
  retry: (cid) => outbox.retry(cid),
  edit: mend,
  discard: (cid) => outbox.discard(cid),
});
const reading = new Reading(timeline, scroll, messages, new Unread());
const notifying = new Notifying(base, code, {
  mentionsUs: (event) => messages.mentionsUs(event),
  remark: (words) => composer.remark(words),
});
const menu = new Menu($("#menu"));
const requests = new Requests(send);
const reacting = new Reacting(requests, {
  changed: (of) => messages.showReacting(of),
  refused: (reason) => composer.remark(reason),
});
const order = new Order(
  { rules: $("#rules"), list: $("#members"), opener: $("#set"), dialog: $("#settings") },
  menu,
  members,
  {
    ownName: () => membership.name,
    moderate,
    loaded,
    ask: (message, answered, refused) => ask(() => message, answered, refused),
  },
);
new MessageActions($("#timeline"), menu, messages, {
  reply: (message) => composer.begin(aimAt(message, "reply", timeline.epoch)),
  edit,
  remove: (message) => outbox.delete(aimAt(message, "delete", timeline.epoch)),
  react: ({ event }, emoji, on) => reacting.react(event.id, emoji, on),
  mayDelete: () => order.isOurs,
  choose: chooseEmoji,
  copy: tellCopied,
  linkTo: (id) => `${$("#link").value}#${id}`,
});
const startPage = `${base}?code=${encodeURIComponent(code)}`;
const admission = new Admission(
  { status: $("#status"), form: $("#rename"), room: $("#room") },
  membership,
  startPage,
  { connect, retry: () => connection.connect() },
);
const outbox = new Outbox(prefix, membership.name, {
  transmit: (message) => connection.send(message),
  changed: (entries) => {
    attempt(() => waiting.show(messages.showPending(entries), membership.name));
    noteWaiting(entries);
  },
  late: () => connection.check(),
  unanswered: () => connection.lose(),
  notDeleted: (reason) => composer.remark(reason),
  paused: (until_ms) => composer?.countDown(until_ms),
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
  missed: (event) => reading.count(event),
  refused: ({ message }) => composer.remark(message),
});
const seeking = new Seeking(timeline, fetching, $("#link").value, {
  isPresent: () => present,
  tell: (text) => composer.tell(text),
});
const ownName = new OwnName({ opener: $("#own"), dialog: $("#account") }, menu, members, {
  name: () => membership.name,
  loaded,
  ask: (message, answered, refused) => ask(() => message, answered, refused),
  notifying: () => notifying.items(),
});
const search = new Search($("#search"), $("#find"), {
  ask: (message, answered, refused) => ask(() => message, answered, refused),
  jumpTo: (id, done) => seeking.to(id, done),
});
const connection = new Connection(base, {
  opening: () => admission.showTrying(),
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
const sources = [
  commandSource(() => order.isOurs),
  nameSource({ names: () => members.names, ownName: () => membership.name, spokeLast: (name) => messages.spokeLast(name) }),
  emojiSource(() => import("./emojis.js")),
];
composer = new Composer($("#composer"), Number(maxMessage), new Drafts(prefix, membership.name), sources, {
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

const side = new Side(
  { panel: $("#side"), opener: $("#people"), veil: $("#veil"), behind: [$(".bar"), $("main")] },
  `snug:${base}`,
);
const recentRooms = new RecentRooms(base);

/** Whether the server has let us into the room over the present connection. */
let present = false;
let leaving = false;
let leaveTimer = 0;

const receive = {
  joined(message) {
    present = true;
    connection.settle();
    const { events, limits, epoch } = message;
    const back = timeline.seen !== null;
    inTurn(
      () => membership.joined(message),
      () => messages.recognize(message),
      () => outbox.rename(message.name),
      () => composer.limit(limits.message),
      () => fileChoice.limit(limits),
      () => members.replace(message, message.name),
      () => order.replace(message),
      () => recentRooms.remember(code, message.name, message.topic),
      () => acknowledge(events),
      () => {
        const missed = timeline.catchUp(message);
        events.forEach(acknowledgeReaction);
        if (back) reading.showMissed(missed);
      },
      () => events.forEach(withdraw),
      () => questions.open(limits.rate),
      () => fetching.missed(),
      () => timeline.lookForGaps(),
      () => fetching.members(),
      () => outbox.open(limits.rate, epoch),
      () => uploads.open(),
      tryPicturesAgain,
      () => reacting.open(epoch),
      showAlone,
      () => composer.joined(message.name, epoch, replyAim),
      () => admission.letIn() && composer.focus(),
      () => seeking.address(),
    );
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
    // By then it is known whose the name is.
    showNotice(event);
    members.enter(event);
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
    composer.joined(event.to, timeline.epoch, replyAim);
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

  error(refusal) {
    const error = { ...refusal, message: refusalWords(refusal) };
    if (requests.refuse(error)) return;
    if (error.cid) outbox.refuse(error.cid, error);
    else if (!present) showRefusal(error);
    else if (!questions.refuse(error) && !outbox.refuseUnderway(error)) composer.remark(error.message);
  },
};

function connect() {
  leaving = false;
  membership.enter();
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
  $("#alone").hidden = true;
  scroll.toEnd();
}

/** @param {File[]} files */
function share(files, text) {
  uploads.add(files, text);
  $("#alone").hidden = true;
  scroll.toEnd();
}

function edit(message, text) {
  composer.begin(aimAt(message, "edit", timeline.epoch), text);
}

/** What is written replies to this message, as it is now. */
function replyAim(id) {
  const message = messages.get(id);
  return message && !message.state.deleted ? aimAt(message, "reply", timeline.epoch) : null;
}

async function tellCopied(text) {
  composer.tell((await copy(text)) ? words.message.copied : words.message.notCopied);
}

/** A form to choose any emoji. */
async function chooseEmoji(choose) {
  const panel = await loaded(import("./emoji_panel.js"));
  return panel?.emojiPanel(base, choose);
}

async function openEmojis() {
  const insert = (emoji) => {
    menu.close();
    composer.insert(emoji);
  };
  const form = await chooseEmoji(insert);
  if (form) menu.openForm($("#smile"), words.emoji.open, form);
}

/** A text that could not be said, or corrected, is mended. */
function mend(cid) {
  const entry = outbox.discard(cid);
  const message = entry.type === "edit" && messages.get(entry.of);
  if (message && !message.state.deleted) edit(message, entry.text);
  else composer.takeBack(entry, entry.reply_to ? replyAim(entry.reply_to) : null);
}

function nick(name) {
  ask(() => ({ type: "nick", name }), undefined, (reason) => composer.remark(reason), false);
}

/** Asks what the server answers to nobody else. `final`: a refusal is told, also one that passes. */
function ask(message, answered, refused, final = true) {
  if (!present) return refused(words.status.noConnection);
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
  if (command === "who" || command === "help") return { run: () => answer(command, argument) };
  // A password is not typed where everybody sees it.
  const dialog = ownName.dialog(command);
  return dialog ? { run: dialog } : order.read(command, argument);
}

/** Answers a command that is about nothing but the page. */
async function answer(command, argument) {
  const answers = await loaded(import("./answers.js"));
  if (!answers) return;
  const { helpElement, whoElement } = answers;
  const { members: known, count } = members.here;
  const isOperator = order.isOurs;
  const build = () => (command === "who" ? whoElement(known, count) : helpElement(argument, isOperator));
  if (build()) timeline.tell(build);
  else composer.remark(words.command.unknown(argument.replace(/^\/+/, "")));
}

/** A part of the page that is loaded when it is asked for; without a connection it cannot be had, which is told. */
function loaded(loading) {
  return loading.catch(() => composer.remark(words.status.noConnection));
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
  if (uploads.areUnderway && !confirm(words.files.leftBehind)) return;
  uploads.discardAll();
  leaving = true;
  membership.leave();
  if (!send({ type: "leave" })) return goHome();
  leaveTimer = setTimeout(goHome, LEAVE_MS);
}

/** What the browser keeps of this page is no room that lives. */
function goHome() {
  clearTimeout(leaveTimer);
  goAway();
  connection.close();
  admission.showLeft();
  location.assign(base);
}

/** Those texts that go out by themselves as soon as they can. */
function noteWaiting(entries) {
  admission.setWaiting(entries.filter(({ failure }) => !failure).length);
}

function showMessage(event) {
  acknowledge([event]);
  typing.hide(event.name);
  if (timeline.add(event)) {
    reading.count(event);
    // Of what was missed there may be very many: that is counted, and not told one by one.
    if (messages.isFromOthers(event)) notifying.tell(event);
  }
  if (messages.isOwn({ event }) && !timeline.unreadElement) timeline.forgetUnread();
  showAlone();
  withdraw(event);
  scroll.follow();
}

/** Who is alone in a room where nothing was said is shown how to bring somebody in. */
function showAlone() {
  $("#alone").hidden = !members.isAlone || !messages.isEmpty;
}

function showNotice(event) {
  timeline.add(event);
  showAlone();
  scroll.follow();
}

/** A message changes where it stands. Should it be above what is read, that stays in its place. */
function showAmendment(event) {
  // At the end nothing has to stay in its place: there the page is laid out once for all that comes in one frame.
  if (scroll.isFollowing) timeline.add(event);
  else scroll.keepPlace(() => timeline.add(event));
  scroll.follow();
  search.amend(event);
  viewer.check();
}

function showRule(event) {
  order.apply(event);
  if (event.type === "topic") recentRooms.remember(code, membership.name, event.text);
  showNotice(event);
}

function goAway() {
  present = false;
  fetching.stop();
  questions.close();
  outbox.close();
  uploads.close();
}

function showLoss(wait_ms, closeCode) {
  // Sent again over the next connection it would end that one as well.
  if (closeCode in UNTAKEN) outbox.refuseUnderway({ code: "bad_request", message: UNTAKEN[closeCode] });
  else if (closeCode !== undefined) outbox.noteBroken();
  goAway();
  admission.showLoss(wait_ms, closeCode);
}

/** The server does not let us in, and the connection ends. */
function showRefusal(error) {
  goAway();
  connection.close();
  admission.showRefusal(error);
}

$("#earlier").addEventListener("click", askEarlier);
$("#leave").addEventListener("click", leave);
seeking.followLinks($("#timeline"));
$("#smile").addEventListener("click", openEmojis);
setUpTypingAnywhere($("#text"), $("#timeline"));
setUpInvitation({ copy: $("#copy"), link: $("#link"), showCode: $("#show-qr"), code: $("#qr-code") }, () => side.open());
setUpMore($("#more"), menu);
composer.focus();
keepShell(base);
if (membership.isPast) admission.showLeft();
else connect();
