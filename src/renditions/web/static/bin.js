// The view of the bin: pictures that were deleted and can be restored.

import { call, inOrder, insist } from './api.js';
import { Sections, button, element } from './dom.js';
import { keepDeleted, onShown } from './status.js';
import { restore } from './undo.js';
import { count, formatBytes, formatCount, formatSeconds } from './words.js';

const REFRESH_MS = 500;

const section = document.querySelector('#bin');
const title = section.querySelector('h2');
const sections = new Sections(section.querySelector('div'), () => title);
let due = null;
let found = null; // the server's newest answer

const note = (text) => ['note', text, () => element('p', { class: 'quiet' }, text)];

export async function show() {
  if (section.hidden) return;
  if (!sections.made.size) sections.show([note('Loading…')]);
  await load();
}

const load = inOrder(
  (onTrouble) => insist(() => call('GET', '/bin'), onTrouble),
  (answer) => { found = answer; draw(); },
  (trouble) => { found = null; sections.show([note(`${trouble} Trying again…`)]); },
);

onShown(draw);

// Shows the bin again, soon after the last change.
export function refresh() {
  if (section.hidden || due) return;
  due = setTimeout(() => { due = null; show(); }, REFRESH_MS);
}

function draw() {
  if (!found || keepDeleted() === null) return;
  if (!keepDeleted()) {
    sections.show([note('There is no bin here. A deletion is final.')]);
    return;
  }
  const { pictures, count: number } = found;
  const kept = formatSeconds(keepDeleted());
  sections.show([
    note(number ? `${count(number, 'deleted picture')}. Each stays here for ${kept}, and then it is deleted for good.` : `The bin is empty. Deleted pictures stay here for ${kept}.`),
    ...pictures.map((binned) => [binned.deletion, binned, describe]),
    ...(number > pictures.length ? [['more', number, () => element('p', { class: 'quiet' }, `and ${formatCount(number - pictures.length)} older ones`)]] : []),
  ]);
}

const timeOf = (text) => element('time', { datetime: text }, new Date(text).toLocaleString());

function describe(binned) {
  const trouble = element('p', { class: 'reason' });
  const back = button('Restore', async () => {
    trouble.textContent = await restore(binned);
    refresh();
  }, { 'aria-label': `Restore ${binned.name}, deleted ${new Date(binned.deleted_at).toLocaleString()}` });
  return element(
    'div', { class: 'binned' },
    element('h3', {}, binned.name),
    element('p', { class: 'quiet' }, `${formatBytes(binned.size_bytes)} · deleted `, timeOf(binned.deleted_at), ' · kept until ', timeOf(binned.kept_until)),
    back, trouble,
  );
}
