// Shows the removals and outputs that the server holds back, and whether the source is read-only.

import { call, element, insist } from './api.js';

const CHECK_MS = 10_000;

const banner = document.querySelector('#held');
let isReadOnly = false;

export const canDelete = () => !isReadOnly;

export async function show() {
  const { held, read_only: readOnly, superseded } = await insist(() => call('GET', '/status'));
  isReadOnly = readOnly;
  document.querySelector('#drop').hidden = readOnly;
  const shown = JSON.stringify([held, superseded]);
  if (banner.dataset.shown === shown) return;
  banner.dataset.shown = shown;
  banner.hidden = held.length === 0 && !superseded;
  banner.replaceChildren(...(superseded ? [element('p', {}, `${superseded}.`)] : []), ...held.map(describe));
}

function describe({ what, count, summary, since }) {
  const time = element('time', { datetime: since }, new Date(since).toLocaleString());
  const line = element('p', {}, summary, ' Since ', time, '. ');
  if (what === 'removals') line.append(element('button', { type: 'button', onclick: () => allow(count) }, 'Allow these removals'));
  else line.append(what === 'renditions' ? 'Run renditions sync to remove them.' : 'Run renditions sync to make them.');
  return line;
}

async function allow(count) {
  if (!confirm(`Remove the renditions and records of ${count.toLocaleString('en')} missing pictures?`)) return;
  try {
    await call('POST', '/removals/allow', { count });
    await show();
  } catch (error) {
    await show(); // the number of missing pictures may have changed
    banner.append(element('p', { class: 'reason', role: 'alert' }, error.message));
  }
}

setInterval(() => { if (!document.hidden) show(); }, CHECK_MS);
