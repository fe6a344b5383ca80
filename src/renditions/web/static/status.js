// Shows what the server holds back, what waits and why, and whether the source is read-only.

import { call, element, insist } from './api.js';

const CHECK_MS = 10_000;
const HOW_TO_ALLOW = {
  renditions: 'To delete these outputs, run renditions sync.',
  output: 'To make these outputs again, run renditions sync.',
  catalog: 'To take over the outputs that this catalog wrote, run renditions sync --adopt.',
};

const banner = document.querySelector('#held');
let isReadOnly = false;

export const canDelete = () => !isReadOnly;

export async function show() {
  const { held, reasons, unsent_notices: unsent, read_only: readOnly, superseded } = await insist(() => call('GET', '/status'));
  const waiting = reasons.filter(({ state }) => state === 'waiting' || state === 'unreadable');
  isReadOnly = readOnly;
  document.querySelector('#drop').hidden = readOnly;
  const shown = JSON.stringify([held, waiting, unsent, superseded]);
  if (banner.dataset.shown === shown) return;
  banner.dataset.shown = shown;
  const lines = [
    ...(superseded ? [element('p', {}, `${superseded}.`)] : []), ...held.map(describe), ...waiting.map(explain), ...unsent.map(describeUnsent),
  ];
  banner.hidden = lines.length === 0;
  banner.replaceChildren(...lines);
}

function explain({ state, reason, example, count }) {
  const which = count === 1 ? example : `${count.toLocaleString('en')} pictures, such as ${example}`;
  return element('p', {}, `${state === 'waiting' ? 'Waiting' : 'Unreadable'}: ${which}: ${reason}`);
}

function describeUnsent({ target, reason, given_up: isGivenUp, count }) {
  const then = isGivenUp ? 'Given up. To try again: renditions notices --failed --resend' : 'Renditions tries again later.';
  return element('p', {}, `Not sent: ${count.toLocaleString('en')} notice${count === 1 ? '' : 's'} to ${target}: ${(reason || 'not tried yet').replace(/\.$/, '')}. ${then}`);
}

function describe({ what, count, summary, since }) {
  const time = element('time', { datetime: since }, new Date(since).toLocaleString());
  const line = element('p', {}, summary, ' Since ', time, '. ');
  if (what === 'removals') line.append(element('button', { type: 'button', onclick: () => allow(count) }, 'Allow these removals'));
  else line.append(HOW_TO_ALLOW[what]);
  return line;
}

async function allow(count) {
  const question = count === 1
    ? 'Remove the renditions and the record of 1 missing picture?'
    : `Remove the renditions and records of ${count.toLocaleString('en')} missing pictures?`;
  if (!confirm(question)) return;
  try {
    await call('POST', '/removals/allow', { count });
    await show();
  } catch (error) {
    await show(); // the number of missing pictures may have changed
    banner.append(element('p', { class: 'reason', role: 'alert' }, error.message));
  }
}

setInterval(() => { if (!document.hidden) show(); }, CHECK_MS);
