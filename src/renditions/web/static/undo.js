// Offers for a while to undo each deletion.

import { call, describeTrouble, path } from './api.js';
import { say } from './announcer.js';
import { button, element } from './dom.js';

const OFFER_MS = 60_000;
const MOST = 3;

const region = document.querySelector('#undo');
const list = region.querySelector('ul');
const main = document.querySelector('#main');
let offers = []; // the newest last

// Restores a deleted picture. Returns why that failed; nothing if it worked.
export async function restore({ deletion, name }) {
  try {
    await call('POST', `/bin/${deletion}/${path(name)}`);
    say(`Restored ${name}.`, 'undo');
    for (const made of offers) if (made.binned.deletion === deletion) withdraw(made);
    return '';
  } catch (error) {
    const trouble = error instanceof TypeError ? describeTrouble(error) : error.message;
    say(trouble, 'undo');
    return trouble;
  }
}

export function offer(binned) {
  const text = element('span', {}, `Deleted ${binned.name}.`);
  const made = { binned, text };
  made.line = element(
    'li', {}, text,
    button('Undo', () => undo(made), { 'aria-label': `Undo: restore ${binned.name}` }),
    button('×', () => withdraw(made), { 'aria-label': `Dismiss: ${binned.name} stays in the bin` }),
  );
  offers.push(made);
  for (const old of offers.slice(0, -MOST)) withdraw(old);
  list.prepend(made.line);
  region.hidden = false;
  made.timer = setTimeout(() => withdraw(made), OFFER_MS);
  say(`Deleted ${binned.name}. The key Z and the button Undo restore it.`, 'undo');
}

export function undoLast() {
  if (offers.length) undo(offers[offers.length - 1]);
}

async function undo(made) {
  if (made.isAsked) return;
  made.isAsked = true;
  const trouble = await restore(made.binned);
  made.isAsked = false;
  if (!trouble) return;
  clearTimeout(made.timer); // a person must see the reason
  made.text.textContent = trouble;
  made.text.className = 'reason';
}

function withdraw(made) {
  clearTimeout(made.timer);
  const hadFocus = made.line.contains(document.activeElement);
  offers = offers.filter((each) => each !== made);
  made.line.remove();
  region.hidden = offers.length === 0;
  if (hadFocus) (list.querySelector('button') ?? main).focus();
}
