// Keyboard shortcuts, and the dialog that lists them.

import { button, element } from './dom.js';
import { Stored } from './stored.js';

const singleKeys = new Stored('localStorage', 'single-keys');

// Keys that the gallery and the dialogs handle themselves. They are here only for the list.
const LOCAL = [
  ['← ↑ ↓ →', 'from picture to picture; in an open picture: previous and next'],
  ['Enter', 'open the picture'],
  ['Escape', 'close what is open'],
];

const dialog = document.querySelector('#shortcuts');

// Each shortcut is [key, what it does, action].
export function connect(shortcuts) {
  const all = [...shortcuts, ['?', 'show this list', show]];
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, textarea') || document.querySelector('dialog[open]')) return;
    const found = all.find(([key]) => key === event.key.toLowerCase());
    // Speech input and some screen readers type letters, so a person can turn the letters off. '?' stays.
    if (!found || (singleKeys.read() === 'off' && event.key !== '?')) return;
    event.preventDefault();
    found[2]();
  });
  document.querySelector('#show-shortcuts').addEventListener('click', show);
  const setting = element('input', { type: 'checkbox', checked: singleKeys.read() !== 'off' });
  setting.addEventListener('change', () => { singleKeys.write(setting.checked ? 'on' : 'off'); });
  dialog.append(
    element('div', { class: 'bar' }, element('h2', { id: 'shortcuts-title' }, 'Keyboard'), button('Close', () => dialog.close())),
    element('dl', { class: 'keys' }, ...[...all, ...LOCAL].flatMap(([key, what]) => [element('dt', {}, element('kbd', {}, key.length === 1 ? key.toUpperCase() : key)), element('dd', {}, what)])),
    element('label', {}, setting, ' Use single letters as shortcuts'),
  );
}

function show() {
  dialog.showModal();
}
