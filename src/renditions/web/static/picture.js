// The view of one picture: a dialog that is open while the page's URL names a picture.

import { NO_PICTURE, Problem, call, describeTrouble, inOrder, insist, path, readFormats } from './api.js';
import { say } from './announcer.js';
import * as details from './details.js';
import { Sections, button, element } from './dom.js';
import { focusPoint } from './focus.js';
import * as place from './place.js';
import { canDelete, keepDeleted, onShown } from './status.js';
import { offer } from './undo.js';

const dialog = document.querySelector('#picture');
const title = element('h2', { id: 'picture-title', tabindex: '-1' });
const body = element('div', { class: 'body' });
const sections = new Sections(body, () => title);
const steps = {
  previous: button('Previous', () => step('previous'), { 'aria-keyshortcuts': 'ArrowLeft' }),
  next: button('Next', () => step('next'), { 'aria-keyshortcuts': 'ArrowRight' }),
};
const pageTitle = document.title;
const NOT_PROCESSED = 'This picture waits to be processed. It will be shown here afterwards.';
let gallery = null;
let focusOpener = null;
let shown = null; // the name of the open picture
let loaded = null; // the newest full record of the open picture, and the formats that a browser shows
let trouble = '';
let visit = 0; // how often the dialog was opened
let stepping = Promise.resolve();

dialog.append(
  element('div', { class: 'bar' }, title, element('div', { class: 'steps' }, steps.previous, steps.next, button('Close', close))),
  body,
);

// `focusLink` puts the focus on a picture's link in the view that is shown, outside of the gallery.
export function connect(shownGallery, focusLink) {
  gallery = shownGallery;
  focusOpener = focusLink;
}

// Opens or closes the dialog, so that it shows what the URL says.
export async function follow({ picture: name }) {
  if (name === (shown ?? '')) return;
  const before = shown;
  shown = name || null;
  document.title = name ? `${name} – ${pageTitle}` : pageTitle;
  if (!name) {
    dialog.close();
    if (gallery.root.clientWidth) gallery.focus(before);
    else focusOpener(before);
    return;
  }
  trouble = '';
  loaded = null;
  title.textContent = name;
  showMessage(name, 'Loading…');
  if (!dialog.open) dialog.showModal();
  if (!before) { title.focus(); visit += 1; }
  else say(name, 'picture');
  dialog.scrollTop = 0;
  await load();
}

const message = (text) => ['message', text, () => element('p', { class: 'quiet' }, text)];

// Shows a message in place of the picture's full record.
const showMessage = (name, text) => sections.show([...(gallery.known.has(name) ? headOf(gallery.known.get(name)) : []), message(text)]);

// Loads the picture's full record, which has more fields than the one in the list.
async function load() {
  await loadRecord(shown);
  await showSteps();
}

const loadRecord = inOrder(
  async (onTrouble, name) => {
    try {
      const [picture, formats] = await Promise.all([insist(() => call('GET', `/pictures/${path(name)}`), onTrouble), insist(readFormats, onTrouble)]);
      return { picture, formats: formats.shown };
    } catch (error) {
      if (error instanceof Problem) return { refusal: error.code === 'not-processed' ? NOT_PROCESSED : error.status === 404 ? NO_PICTURE : error.message };
      throw error;
    }
  },
  ({ refusal, ...answer }, name) => {
    if (name !== shown) return;
    loaded = refusal ? null : answer;
    if (refusal) sections.show([message(refusal)]);
    else draw();
  },
  (text, name) => { if (name === shown) { loaded = null; showMessage(name, `${text} Trying again…`); } },
);

// Shows a change of the open picture that the server reported. A picture that waits may have no record yet.
export async function report(name, picture, result) {
  if (shown === null) return;
  if (name !== shown) await showSteps();
  else if (picture || result === 'waiting' || result === 'failed') await load();
  else close();
}

// Loads the open picture's record again.
export async function reload() {
  if (shown !== null) await load();
}

async function showSteps() {
  const name = shown;
  const found = await gallery.neighbours(name);
  if (name !== shown) return;
  for (const [which, control] of Object.entries(steps)) control.setAttribute('aria-disabled', String(found[which] === null));
}

// Goes to the previous or the next picture. While the list loads, a person may press a key several times, so each step
// begins where the one before it led.
function step(which) {
  const asked = visit;
  const take = async () => {
    const name = shown;
    const { [which]: next } = await gallery.neighbours(name);
    if (next && name === shown && asked === visit) place.replace({ picture: next });
  };
  stepping = stepping.then(take, take);
}

function close() {
  place.leave({ picture: '' });
}

const headOf = (picture) => [['head', [picture.status, picture.reason, picture.warnings, picture.unsent_notices, picture.source_missing_since], () => details.head(picture)]];

function draw() {
  if (!shown || !loaded) return;
  const { picture, formats } = loaded;
  const outputs = details.shownRenditions(picture, formats);
  const kept = [picture.etag, picture.links, picture.renditions];
  sections.show([
    ...headOf(picture),
    ...(outputs.length || picture.links.shown_original || picture.status === 'done' ? [['compare', kept, () => (outputs.length ? details.compare(picture, outputs[outputs.length - 1]) : details.original(picture))]] : []),
    ['actions', [picture.status, canDelete(), picture.links.original], () => actions(picture)],
    ['trouble', trouble, (text) => element('p', { class: 'reason' }, text)],
    ...(picture.follows_focus ? [['focus', [picture.name, picture.focus, picture.links.shown_original], () => focusPoint(picture, (point) => setFocus(picture.name, point))]] : []),
    ['table', kept, () => details.table(picture)],
    ...(picture.snippet ? [['snippet', picture.snippet, details.snippet]] : []),
    ...(picture.history ? [['history', picture.history, details.history]] : []),
    ['record', picture, details.record],
  ]);
}

onShown(draw); // the status decides whether the picture can be deleted

function actions(picture) {
  return element(
    'div',
    { class: 'actions' },
    button(picture.status === 'done' ? 'Process again' : 'Try again', () => processAgain(picture.name)),
    element('a', { class: 'button', href: picture.links.original, download: '' }, 'Download the original'),
    ...(canDelete() ? [button('Delete', () => remove(picture.name))] : []),
  );
}

// Returns the server's answer; undefined if there is none. Then the picture's view says why, if it is still open.
async function act(name, method, address, content) {
  say('In progress…', 'action');
  trouble = '';
  try {
    return await call(method, address, content);
  } catch (error) {
    const text = error instanceof TypeError ? describeTrouble(error) : error.message;
    if (name === shown) trouble = text;
    say(text, 'action');
    draw();
    return undefined;
  }
}

async function processAgain(name) {
  const outcome = await act(name, 'POST', `/pictures/${path(name)}/process?again=true`);
  if (outcome) say(`${outcome.result}${outcome.reason ? `: ${outcome.reason}` : ''}`, 'action');
  if (name === shown) await load();
}

// Sets the point that cuts keep. Without a point, they keep the center.
async function setFocus(name, point) {
  const set = await act(name, point ? 'PUT' : 'DELETE', `/pictures/${path(name)}/focus`, point);
  if (set) say(point ? 'Focus point set.' : 'Focus point removed.', 'action');
  if (name === shown) await load();
}

async function remove(name) {
  if (!keepDeleted() && !confirm(`Delete ${name} and its renditions for good? The source has no bin, so this can’t be undone.`)) return;
  const binned = await act(name, 'DELETE', `/pictures/${path(name)}`);
  if (binned === undefined) return;
  if (shown === name) close();
  if (binned) offer(binned);
  else say(keepDeleted() ? `Deleted the renditions and the record of ${name}.` : `Deleted ${name} for good.`, 'action');
}

dialog.addEventListener('cancel', (event) => { event.preventDefault(); close(); });
// A browser may close a dialog at once after the second Escape.
dialog.addEventListener('close', () => { if (shown) close(); });
// A click on the backdrop is one on the dialog itself, outside of its box.
dialog.addEventListener('click', ({ target, clientX: x, clientY: y }) => {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  if (target === dialog && !(x >= left && x <= right && y >= top && y <= bottom)) close();
});
dialog.addEventListener('keydown', (event) => {
  const which = { ArrowLeft: 'previous', ArrowRight: 'next' }[event.key];
  if (!which || event.target.matches('input, pre') || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  step(which);
});
