// The page: dropped files, the server's events, and the gallery.

import { TOKEN, call, element, formatBytes, formatSeconds, insist, urlOf } from './api.js';
import { Gallery } from './gallery.js';
import * as pictureView from './picture.js';
import * as status from './status.js';
import * as uploads from './uploads.js';

const POLL_MS = 3000;
const POLLED = 200;

const gallery = new Gallery(document.querySelector('#gallery'), (name) => pictureView.open(name));
const connection = document.querySelector('#connection');
const retry = document.querySelector('#retry');

const drop = document.querySelector('#drop');
for (const kind of ['dragover', 'dragenter']) {
  addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add('over'); });
}
addEventListener('dragleave', (event) => { if (!event.relatedTarget) drop.classList.remove('over'); });
addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  uploads.add(event.dataTransfer.files);
});
addEventListener('paste', (event) => { if (event.clipboardData?.files.length) uploads.add(event.clipboardData.files); });
for (const input of document.querySelectorAll('input[type=file]')) {
  input.addEventListener('change', () => { uploads.add(input.files); input.value = ''; });
}

document.querySelector('#filters').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (!chosen) return;
  for (const button of event.currentTarget.children) button.setAttribute('aria-pressed', String(button === chosen));
  gallery.show(chosen.dataset.status);
});
retry.addEventListener('click', async () => {
  for (let cursor = ''; cursor !== null;) {
    ({ next: cursor } = await insist(() => call('POST', '/retry', { statuses: ['failed'], cursor })));
  }
});

async function showTotals() {
  const totals = await insist(() => call('GET', '/stats'));
  document.querySelector('[data-total=pictures]').textContent = totals.pictures.toLocaleString('en');
  document.querySelector('[data-total=original_bytes]').textContent = formatBytes(totals.original_bytes);
  document.querySelector('[data-total=rendition_bytes]').textContent = `${totals.renditions.toLocaleString('en')} · ${formatBytes(totals.rendition_bytes)}`;
  const { rendition_bytes: sent, replaced_bytes: replaced } = totals;
  document.querySelector('[data-total=saved]').textContent = replaced > sent ? `${Math.floor(100 - (100 * sent) / replaced)} %` : '–';
  document.querySelector('[data-total=time]').textContent = formatSeconds(totals.processing_seconds);
  for (const [status, count] of Object.entries(totals.by_status)) {
    const shown = document.querySelector(`[data-status=${status}] span`);
    if (shown) shown.textContent = count ? count.toLocaleString('en') : '';
  }
  retry.hidden = !totals.by_status.failed;
}

let totalsDue = null;
function tell({ name, picture }) {
  gallery.update(name, picture);
  uploads.tell(name, picture);
  pictureView.tell(name, picture);
  totalsDue ??= setTimeout(() => { totalsDue = null; showTotals(); status.show(); }, 300);
}

// Reports the changes among the newest pictures since the last check, the oldest change first.
const seen = new Map();
async function lookAgain() {
  const { pictures, next } = await call('GET', `/pictures?limit=${POLLED}`);
  const now = new Map(pictures.map((picture) => [picture.name, picture]));
  const oldest = next && pictures.at(-1).timestamp;
  const gone = [...seen.values()].filter(({ name, timestamp }) => !now.has(name) && (!oldest || timestamp > oldest));
  const changed = pictures.filter((picture) => JSON.stringify(picture) !== JSON.stringify(seen.get(picture.name)));
  seen.clear();
  for (const [name, picture] of now) seen.set(name, picture);
  for (const { name } of gone) tell({ name, picture: null });
  for (const picture of changed.reverse()) tell({ name: picture.name, picture });
}

// Listens to events if the server can hold a connection open; otherwise polls.
function listen() {
  const events = new EventSource(urlOf('/events'));
  let heard = false;
  events.addEventListener('hello', () => { heard = true; connection.textContent = 'live'; });
  events.addEventListener('picture', (event) => tell(JSON.parse(event.data)));
  events.addEventListener('reset', () => insist(lookAgain));
  events.onerror = () => {
    connection.textContent = 'lost, trying again';
    if (heard && events.readyState !== EventSource.CLOSED) return;
    events.close();
    poll();
  };
}

function poll() {
  setTimeout(async () => {
    try { if (!document.hidden) await lookAgain(); connection.textContent = 'updated every few seconds'; } catch { connection.textContent = 'lost, trying again'; }
    poll();
  }, POLL_MS);
}

// If the server sets a cookie, its page has a button of its own.
if (sessionStorage.getItem(TOKEN)) {
  const logOut = () => { sessionStorage.removeItem(TOKEN); location.assign(urlOf('/login')); };
  document.querySelector('footer').append(element('button', { type: 'button', onclick: logOut }, 'Log out'));
}

showTotals();
status.show();
listen();
