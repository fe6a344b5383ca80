// The list of uploads: a few at a time, and a summary of all.

import { say } from './announcer.js';
import { onRefusedToken } from './api.js';
import * as conflict from './conflict.js';
import { button } from './dom.js';
import { renew } from './login.js';
import { Upload } from './upload.js';
import { count, formatCount } from './words.js';

const AT_ONCE = 3;
const SAY_MS = 10_000;
const UNSENT = ['waiting', 'uploading'];

const section = document.querySelector('#uploads');
const title = section.querySelector('h2');
const list = section.querySelector('ul');
const summary = section.querySelector('.summary');
const cancelAll = document.querySelector('#cancel-all');
const againAll = document.querySelector('#again-all');
const uploads = new Set();
const waiting = []; // functions that let an upload go on
const expected = new Map(); // by the name that the picture got: its uploads, the last one last
const wanted = new Map(); // by the name of the file: the last upload
let begun = 0; // the uploads that haven't ended
let running = 0;
let saidAt = 0;
let due = null;

// What an upload knows about the others.
const queue = {
  countOpen: () => [...uploads].filter((upload) => !upload.hasEnded && upload.state !== 'stored').length,
  expect: (upload) => expected.set(upload.name, [...openOf(upload.name).filter((each) => each !== upload), upload]),
  // Two files of a batch may have one name. The second one waits for the first, and then finds that the name exists.
  waitForName: async (upload) => {
    const other = wanted.get(upload.wanted);
    wanted.set(upload.wanted, upload);
    if (other && other !== upload) await queue.standAside(other.ended);
  },
  // Lets other uploads go on until the promise ends. Then this upload is the first that goes on.
  standAside: async (promise) => {
    leave();
    try {
      return await promise;
    } finally {
      await new Promise((resolve) => { waiting.unshift(resolve); next(); });
    }
  },
  // Moves the focus from a button that disappears to the next one, or else to the list's title.
  passFocus: (row) => {
    const left = [...list.querySelectorAll('button')].filter((each) => !each.hidden);
    (left.find((each) => row.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) ?? title).focus();
  },
  // What is done goes to the end, so that a person sees first what failed, and then what is in progress.
  settle: (row) => list.append(row),
  // A new upload takes the place of the one that ended: an answer to that one may still be on its way.
  restart: (upload) => {
    const again = new Upload({ name: upload.wanted, file: upload.file }, queue, upload.given);
    const hadFocus = document.activeElement === upload.button;
    upload.row.replaceWith(again.row);
    if (hadFocus) again.button.focus();
    uploads.delete(upload);
    uploads.add(again);
    start(again);
  },
  note: () => { due ??= requestAnimationFrame(() => { due = null; describe(); }); },
};

// Each file is {name, file}. `answer` is what to do with a file whose name exists, if the person needn't be asked: see
// conflict.js.
export function add(files, answer) {
  for (const each of files) {
    const upload = new Upload(each, queue, answer);
    uploads.add(upload);
    list.insertBefore(upload.row, list.querySelector('.good'));
    start(upload);
  }
  describe();
}

// The uploads that a report about this picture concerns: the last one, and those before it that still wait for a result.
const openOf = (name) => (expected.get(name) ?? []).filter((upload, at, all) => at === all.length - 1 || upload.state === 'stored');

export function report(name, picture, isNews) {
  for (const upload of openOf(name)) upload.report(picture, isNews);
}

// Shows why a picture waits: the server couldn't record its failure, and will try it again.
export function wait(name, reason) {
  for (const upload of openOf(name)) upload.wait(reason);
}

// Runs an upload when it is its turn.
function start(upload) {
  begun += 1;
  upload.ended = new Promise((resolve) => { waiting.push(resolve); }).then(() => upload.run()).finally(() => {
    begun -= 1;
    if (!begun) conflict.forget();
    leave();
  });
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift()();
  }
}

function leave() {
  running -= 1;
  next();
}

function describe() {
  section.hidden = uploads.size === 0;
  if (!uploads.size) return;
  const states = [...uploads].map((upload) => upload.state);
  const number = (...wanted) => states.filter((state) => wanted.includes(state)).length;
  const parts = [['done', 'done'], ['rejected', 'rejected'], ['failed', 'failed'], ['refused', 'refused'], ['skipped', 'skipped'], ['cancelled', 'cancelled']]
    .map(([state, word]) => [number(state), word])
    .filter(([each, word]) => each || word === 'done')
    .map(([each, word]) => `${formatCount(each)} ${word}`);
  const text = `${parts.join(', ')} of ${count(states.length, 'picture')}`;
  const open = number(...UNSENT, 'stored');
  cancelAll.hidden = !number(...UNSENT);
  onbeforeunload = cancelAll.hidden ? null : askToStay;
  const { length: lost } = listLost();
  againAll.hidden = lost < 2;
  againAll.textContent = `Try ${formatCount(lost)} again`;
  if (summary.textContent === text) return;
  summary.textContent = text;
  if (open && Date.now() - saidAt < SAY_MS) return;
  saidAt = Date.now();
  say(open ? `Uploads: ${text}` : `Uploads ended: ${text}`, 'uploads');
}

function clear() {
  for (const upload of [...uploads].filter(({ hasEnded }) => hasEnded)) {
    uploads.delete(upload);
    const left = (expected.get(upload.name) ?? []).filter((each) => each !== upload);
    if (left.length) expected.set(upload.name, left);
    else expected.delete(upload.name);
    upload.row.remove();
  }
  describe();
  (section.hidden ? document.querySelector('#pictures-title') : title).focus();
}

// The uploads that failed without a refusal, such as those during a loss of the connection.
const listLost = () => [...uploads].filter(({ state, isFinal }) => state === 'refused' && !isFinal);

onRefusedToken(() => ([...uploads].some(({ state }) => UNSENT.includes(state)) ? renew() : null));

// The browser asks whether the person really wants to leave the page, whose list of uploads would be lost.
function askToStay(event) {
  event.preventDefault();
  event.returnValue = ''; // for older browsers
}

section.querySelector('.bar').append(button('Clear finished', clear, { id: 'clear' }));
cancelAll.addEventListener('click', () => {
  for (const upload of uploads) if (UNSENT.includes(upload.state)) upload.cancel();
  title.focus();
});
againAll.addEventListener('click', () => {
  for (const upload of listLost()) queue.restart(upload);
  title.focus();
});
