// Asks what to do with a picture whose name already exists, once for all files of a batch.

import { button, element } from './dom.js';

const dialog = document.querySelector('#conflict');
let answer = null;

// Returns 'replace', 'both' or 'skip'. Until `forget` is called, the person isn't asked again.
export function decide(name, others) {
  answer ??= ask(name, others);
  return answer;
}

export function forget() {
  answer = null;
}

function ask(name, others) {
  return new Promise((resolve) => {
    const choose = (text, value, attributes) => button(text, () => { resolve(value); dialog.close(); }, attributes);
    const more = others ? ` Your answer also applies to the other ${others === 1 ? 'file' : `${others} files`} of this upload.` : '';
    dialog.replaceChildren(
      element('h2', { id: 'conflict-title' }, `${name} already exists`),
      element('p', {}, `Replace the picture, or keep both?${more}`),
      element(
        'div', { class: 'actions' },
        choose('Keep both', 'both', { autofocus: true }),
        choose('Replace', 'replace'),
        choose('Skip', 'skip'),
      ),
    );
    dialog.addEventListener('close', () => resolve('skip'), { once: true }); // after Escape
    dialog.showModal();
  });
}
