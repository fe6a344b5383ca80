// The view of one picture: a dialog that is open while the page's URL names a picture.

import { call, describeTrouble, insist, path, readFormats } from './api.js';
import { say } from './announcer.js';
import * as details from './details.js';
import { Sections, button, element } from './dom.js';
import * as place from './place.js';
import { canDelete, keepDeleted } from './status.js';
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
let gallery = null;
let shown = null; // the name of the open picture
let trouble = '';

dialog.append(
  element('div', { class: 'bar' }, title, element('div', { class: 'steps' }, steps.previous, steps.next, button('Close', close))),
  body,
);

export function connect(shownGallery) {
  gallery = shownGallery;
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
    return;
  }
  trouble = '';
  title.textContent = name;
  sections.show(gallery.known.has(name) ? [...headOf(gallery.known.get(name)), message('Loading…')] : [message('Loading…')]);
  if (!dialog.open) dialog.showModal();
  if (!before) title.focus();
  else say(name, 'picture');
  dialog.scrollTop = 0;
  await load();
}

const message = (text) => ['message', text, () => element('p', { class: 'quiet' }, text)];

// Loads the picture's full record, which has more fields than the one in the list.
async function load() {
  const name = shown;
  const onTrouble = (text) => { if (name === shown) sections.show([...(gallery.known.has(name) ? headOf(gallery.known.get(name)) : []), message(`${text} Trying again…`)]); };
  try {
    const [picture, formats] = await Promise.all([insist(() => call('GET', `/pictures/${path(name)}`), onTrouble), insist(readFormats, onTrouble)]);
    if (name === shown) draw(picture, formats.shown);
  } catch (error) {
    if (name === shown) sections.show([message(error.status === 404 ? 'There is no picture with this name any more.' : error.message)]);
  }
  await showSteps();
}

// Shows a change of the open picture that the server reported.
export async function report(name, picture) {
  if (shown === null) return;
  if (name !== shown) await showSteps();
  else if (picture) await load();
  else close();
}

async function showSteps() {
  const name = shown;
  const found = await gallery.neighbours(name);
  if (name !== shown) return;
  for (const [which, control] of Object.entries(steps)) control.setAttribute('aria-disabled', String(found[which] === null));
}

async function step(which) {
  const { [which]: name } = await gallery.neighbours(shown);
  if (name) place.replace({ picture: name });
}

function close() {
  place.leave({ picture: '' });
}

const headOf = (picture) => [['head', [picture.status, picture.reason, picture.warnings, picture.unsent_notices, picture.source_missing_since], () => details.head(picture)]];

function draw(picture, formats) {
  const outputs = details.shownRenditions(picture, formats);
  const kept = [picture.etag, picture.links, picture.renditions];
  sections.show([
    ...headOf(picture),
    ...(outputs.length || picture.links.shown_original || picture.status === 'done' ? [['compare', kept, () => (outputs.length ? details.compare(picture, outputs[outputs.length - 1]) : details.original(picture))]] : []),
    ['actions', [picture.status, canDelete(), picture.links.original], () => actions(picture)],
    ['trouble', trouble, (text) => element('p', { class: 'reason' }, text)],
    ['table', kept, () => details.table(picture)],
    ...(picture.snippet ? [['snippet', picture.snippet, details.snippet]] : []),
    ...(picture.history ? [['history', picture.history, details.history]] : []),
    ['record', picture, details.record],
  ]);
}

function actions(picture) {
  return element(
    'div',
    { class: 'actions' },
    button(picture.status === 'done' ? 'Process again' : 'Try again', () => act('POST', `/pictures/${path(picture.name)}/process?again=true`)),
    element('a', { class: 'button', href: picture.links.original, download: '' }, 'Download the original'),
    ...(canDelete() ? [button('Delete', () => remove(picture.name))] : []),
  );
}

async function act(method, address) {
  say('In progress…', 'action');
  trouble = '';
  let outcome = null;
  try {
    outcome = await call(method, address);
    if (outcome?.result) say(`${outcome.result}${outcome.reason ? `: ${outcome.reason}` : ''}`, 'action');
  } catch (error) {
    trouble = error instanceof TypeError ? describeTrouble(error) : error.message;
    say(trouble, 'action');
  }
  if (shown) await load();
  return outcome;
}

async function remove(name) {
  if (!keepDeleted() && !confirm(`Delete ${name} and its renditions for good? The source has no bin, so this can’t be undone.`)) return;
  const binned = await act('DELETE', `/pictures/${path(name)}`);
  if (trouble) return;
  if (shown === name) close();
  if (binned) offer(binned);
  else say(`Deleted ${name} for good.`, 'action');
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
