// Gets changes from the server: from a stream of events that all tabs share, or by asking again and again.

import { call, inOrder, insist } from './api.js';
import { Stream } from './stream.js';

const POLL_MS = 3000;
const HIDDEN_POLL_MS = 30_000;
const POLLED = 200;
const MOST_PAGES = 20;

// Calls onPicture with each change ({name, picture}; picture is null if it was deleted), onMissed if there were more
// changes than it can report, and onState with 'live', 'polling' or 'lost'.
export function connect(onPicture, onMissed, onState) {
  let isLive = false;
  const heard = new Map(); // when each picture's last event came
  const look = makeLook(onPicture, onMissed, (name) => heard.get(name) ?? -Infinity);
  const lookIfPossible = async () => {
    try { await look(); } catch { return 'lost'; }
    return 'polling';
  };
  openStream(({ state, picture }) => {
    if (picture) {
      heard.set(picture.name, performance.now());
      onPicture(picture);
    }
    // No event reports what changed since the page asked for the pictures, or while there was no stream.
    if (state === 'live' && !isLive) insist(look);
    if (state) isLive = state === 'live';
    if (isLive) onState('live');
  });
  let due = null;
  const wait = () => { due = setTimeout(poll, document.hidden ? HIDDEN_POLL_MS : POLL_MS); };
  const poll = async () => {
    due = null;
    if (!isLive) {
      const state = await lookIfPossible();
      if (!isLive) onState(state);
    }
    wait();
  };
  wait();
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || !due) return;
    clearTimeout(due);
    poll();
  });
}

function openStream(report) {
  if (!document.querySelector('link[type="text/event-stream"]')) return; // the API on AWS has no stream
  let worker;
  try {
    worker = new SharedWorker(new URL('stream-worker.js', import.meta.url), { type: 'module' });
  } catch { // a browser without such workers, or one that blocks site data
    openOwn(report);
    return;
  }
  worker.onerror = () => openOwn(report); // a browser whose workers have no modules
  worker.port.onmessage = ({ data }) => report(data);
  const join = () => worker.port.postMessage('join');
  addEventListener('pagehide', () => worker.port.postMessage('leave'));
  addEventListener('pageshow', ({ persisted }) => { if (persisted) { report({ state: 'lost' }); join(); } });
  join();
}

// Without shared workers, only the visible tab has a stream. The others poll.
function openOwn(report) {
  let stream = document.hidden ? null : new Stream(report);
  document.addEventListener('visibilitychange', () => {
    stream?.close();
    stream = document.hidden ? null : new Stream(report);
  });
}

// Returns a function that reports the changes since its last call, the oldest first. It reads the list, whose newest
// pictures come first, as far as all pictures are new, but not for ever. An event that comes while the list is on its way
// is newer than the list.
function makeLook(onPicture, onMissed, heardAt) {
  let seen = new Map();
  const ask = async () => {
    const asked = performance.now();
    const [newest] = seen.values();
    const pictures = [];
    let next = '';
    let isComplete = false;
    for (let pages = 0; pages < MOST_PAGES && !isComplete; pages += 1) {
      const page = await call('GET', `/pictures?${new URLSearchParams({ history: true, limit: POLLED, ...(next && { cursor: next }) })}`);
      pictures.push(...page.pictures);
      next = page.next;
      isComplete = !next || !newest || pictures[pictures.length - 1].timestamp < newest.timestamp;
    }
    return { asked, pictures, next, isComplete };
  };
  return inOrder(ask, ({ asked, pictures, next, isComplete }) => {
    const now = new Map(pictures.map((picture) => [picture.name, picture]));
    const oldest = next && pictures[pictures.length - 1].timestamp;
    const gone = [...seen.values()].filter(({ name, timestamp }) => !now.has(name) && (!oldest || timestamp > oldest));
    const changed = pictures.filter((picture) => JSON.stringify(picture) !== JSON.stringify(seen.get(picture.name)));
    seen = now;
    const isCurrent = ({ name }) => heardAt(name) < asked;
    for (const { name } of gone.filter(isCurrent)) onPicture({ name, picture: null });
    for (const picture of changed.filter(isCurrent).reverse()) onPicture({ name: picture.name, picture });
    if (!isComplete) onMissed();
  });
}
