// Shows what the server holds back, what waits and why, and whether the source is read-only.

import { call, inOrder, insist } from './api.js';
import { say } from './announcer.js';
import { Sections, button, element } from './dom.js';
import { count, formatCount } from './words.js';

const CHECK_MS = 10_000;
const HOW_TO_ALLOW = {
  renditions: 'To delete these outputs, run renditions sync.',
  output: 'To make these outputs again, run renditions sync.',
  catalog: 'To take over the outputs that this catalog wrote, run renditions sync --adopt.',
};

const banner = document.querySelector('#held');
const sections = new Sections(banner.querySelector('div'), () => banner.querySelector('h2'));
const listeners = [];
let isKnown = false; // whether the server has answered
let isReadOnly = false;
let keepDeletedSeconds = 0;
let refusal = ''; // why the server refused the last permission
let hasChanged = false;
let shown = '';
let applied = null; // the generation of the pipeline file

// Until the server's first answer, the page offers no deletion: it doesn't know whether one would be final.
export const canDelete = () => isKnown && !isReadOnly;
// How long a deleted picture can be restored; 0 if a deletion is final. Null until the server has answered.
export const keepDeleted = () => (isKnown ? keepDeletedSeconds : null);

// Calls the listener after each answer of the server.
export function onShown(listener) {
  listeners.push(listener);
}

export const show = inOrder((onTrouble) => insist(() => call('GET', '/status'), onTrouble), draw);

function draw(status) {
  const { held, reasons, unsent_notices: unsent, read_only: readOnly, superseded, troubles, generation, file_problem: problem, keep_deleted_seconds: keepSeconds } = status;
  isKnown = true;
  isReadOnly = readOnly;
  keepDeletedSeconds = keepSeconds;
  document.querySelector('nav [data-view=bin]').hidden = !keepSeconds;
  document.querySelector('#drop').hidden = readOnly;
  const waiting = reasons.filter(({ state }) => state === 'waiting' || state === 'unreadable');
  if (applied !== null && generation !== applied) hasChanged = true;
  applied = generation;
  const lines = [
    ...(hasChanged ? [['changed', generation, describeChange]] : []),
    ...(problem ? [['file', problem, (why) => element('p', {}, `The pipeline file has changed, but the last valid version stays in use: ${why}`)]] : []),
    ...(superseded ? [['superseded', superseded, (why) => element('p', {}, `${why}.`)]] : []),
    ...[...new Set(troubles.map(({ detail }) => detail))].map((detail) => [`trouble ${detail}`, troubles.filter((each) => each.detail === detail), describeTrouble]),
    ...held.map((each) => [`held ${each.what}`, each, describe]),
    ...waiting.map((each) => [`${each.state} ${each.code} ${each.example}`, each, explain]),
    ...unsent.map((each) => [`unsent ${each.target} ${each.reason}`, each, describeUnsent]),
    ...(refusal && held.some(({ what }) => what === 'removals') ? [['refusal', refusal, (why) => element('p', { class: 'reason' }, why)]] : []),
  ];
  banner.hidden = lines.length === 0;
  sections.show(lines);
  const text = [...banner.querySelectorAll('p')].map((line) => line.textContent).join(' ');
  if (text !== shown && text) say(text, 'held');
  shown = text;
  for (const listener of listeners) listener();
}

function describeChange() {
  const dismiss = button('OK', () => { hasChanged = false; show(); });
  return element('p', {}, 'The pipeline file has changed. Its new version applies, and the server is updating the renditions. ', dismiss);
}

function describeTrouble(troubles) {
  return element('p', { class: 'reason' }, `The server isn't ready (${troubles.map(({ part }) => part).join(', ')}): ${troubles[0].detail.replace(/\.$/, '')}.`);
}

function explain({ state, reason, example, count: number }) {
  const which = number === 1 ? example : `${formatCount(number)} pictures, such as ${example}`;
  return element('p', {}, `${state === 'waiting' ? 'Waiting' : 'Unreadable'}: ${which}: ${reason}`);
}

function describeUnsent({ target, reason, given_up: isGivenUp, collected: isCollected, count: number }) {
  if (isCollected && !reason) return element('p', {}, `Waiting for a digest: ${count(number, 'notice')} to ${target}.`);
  const then = isGivenUp ? 'Given up. To try again: renditions notices --failed --resend' : 'Renditions tries again later.';
  return element('p', {}, `Not sent: ${count(number, 'notice')} to ${target}: ${(reason || 'not tried yet').replace(/\.$/, '')}. ${then}`);
}

function describe({ what, count: number, summary, since }) {
  const time = element('time', { datetime: since }, new Date(since).toLocaleString());
  const line = element('p', {}, summary, ' Since ', time, '. ');
  if (what === 'removals') line.append(button('Allow these removals', () => allow(number)));
  else line.append(HOW_TO_ALLOW[what]);
  return line;
}

async function allow(number) {
  const question = number === 1
    ? 'Remove the renditions and the record of 1 missing picture?'
    : `Remove the renditions and records of ${formatCount(number)} missing pictures?`;
  if (!confirm(question)) return;
  try {
    await call('POST', '/removals/allow', { count: number });
    refusal = '';
  } catch (error) {
    refusal = error.message; // the number of missing pictures may have changed
  }
  await show();
}

setInterval(() => { if (!document.hidden) show(); }, CHECK_MS);
