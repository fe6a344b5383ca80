// Asks for a token in a dialog, so that the page keeps its uploads while a person logs in again.

import { logIn, token, urlOf } from './api.js';
import { button, element } from './dom.js';

const dialog = document.querySelector('#login');
let asked = null; // until there is a new token

// Returns a promise that ends when there is another token. Several calls may be refused at once.
export function renew() {
  asked ??= new Promise((resolve) => { ask(resolve); }).finally(() => { asked = null; });
  return asked;
}

function ask(resolve) {
  const input = element('input', { id: 'new-token', type: 'password', required: true, autofocus: true, autocomplete: 'current-password' });
  const trouble = element('p', { class: 'reason', role: 'alert' });
  const form = element(
    'form', {},
    element('h2', { id: 'login-title' }, 'Log in again'),
    element('p', {}, 'The server no longer accepts your token. It may have expired. The uploads continue after you log in.'),
    element('label', { for: 'new-token' }, 'Token'), input, trouble,
    element('div', { class: 'actions' }, element('button', {}, 'Log in'), button('Leave without the uploads', leave)),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    trouble.textContent = await use(input.value.trim());
    if (trouble.textContent) { input.select(); return; }
    dialog.close();
    resolve();
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}

function leave() {
  onbeforeunload = null; // the person has decided
  logIn();
}

// Returns why the server refuses the token; nothing if the page can go on with it.
async function use(given) {
  if (token.read()) {
    token.write(given);
    return '';
  }
  try {
    // The answer to the right token leads to the page, which isn't needed.
    const { type, status } = await fetch(urlOf('/login'), { method: 'POST', body: new URLSearchParams({ token: given }), redirect: 'manual' });
    if (type === 'opaqueredirect') return '';
    return status === 401 ? 'Wrong token: try again.' : `The server answered ${status}: try again later.`;
  } catch {
    return "Can't reach the server: try again later.";
  }
}

// Without a token nothing on the page works, so Escape doesn't close the dialog.
dialog.addEventListener('cancel', (event) => event.preventDefault());
dialog.addEventListener('close', () => { if (asked && !dialog.open) dialog.showModal(); });
