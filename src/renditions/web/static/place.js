// What the page shows is in its URL: the view, the list's status and the open picture. So each picture has a URL,
// and Back works.

// What each part can be. The page ignores any other value, which an old or mistyped link may have.
const PARTS = {
  view: (value) => ['problems', 'bin'].includes(value),
  status: (value) => ['done', 'rejected', 'failed', 'processing'].includes(value),
  picture: () => true,
};

const listeners = [];

export function here() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(PARTS).map(([key, isKnown]) => [key, [query.get(key) ?? ''].find(isKnown) ?? '']));
}

// The URL of the present place with these changes.
export function hrefOf(changes) {
  const query = new URLSearchParams(Object.entries({ ...here(), ...changes }).filter(([, value]) => value));
  return query.toString() ? `?${query}` : location.pathname;
}

export function go(changes) {
  if (hrefOf(changes) === hrefOf({})) return;
  history.pushState({ isInside: true }, '', hrefOf(changes));
  report();
}

// Goes to a place, and replaces the present entry of the browser's history.
export function replace(changes) {
  history.replaceState(history.state, '', hrefOf(changes));
  report();
}

// Leaves a place: goes back if the page led there, so that Back doesn't lead there again. The browser goes back only a
// moment later, so a second call until then, such as after a repeated key, does nothing.
let isLeaving = false;
export function leave(changes) {
  if (isLeaving) return;
  isLeaving = Boolean(history.state?.isInside);
  if (isLeaving) history.back();
  else replace(changes);
}

export function onMove(listener) {
  listeners.push(listener);
}

function report() {
  for (const listener of listeners) listener(here());
}

addEventListener('popstate', () => { isLeaving = false; report(); });

// Lets a link lead to a place of this page. With a modifier key the browser opens the link as usual.
export function follow(event, changes) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
  event.preventDefault();
  go(changes);
}
