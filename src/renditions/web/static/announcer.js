// The page's only live region. Screen readers read out what is said here.

import { element } from './dom.js';

const PAUSE_MS = 400;

const region = element('p', { id: 'announcer', class: 'unseen', role: 'status' });
document.body.append(region);

const unsaid = new Map();
let due = null;

// Says a text soon. A newer text on the same topic replaces one that wasn't said yet.
export function say(text, topic = text) {
  unsaid.set(topic, text);
  // While a dialog is open, screen readers read out only what is inside it.
  const room = [...document.querySelectorAll('dialog[open]')].pop() ?? document.body;
  if (region.parentNode !== room) { region.textContent = ''; room.append(region); }
  due ??= setTimeout(() => {
    due = null;
    region.textContent = [...unsaid.values()].join(' ');
    unsaid.clear();
  }, PAUSE_MS);
}
