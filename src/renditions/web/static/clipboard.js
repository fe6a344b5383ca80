// Copies a text that is shown.

import { say } from './announcer.js';

// Copies the text of `shown`, and says so on the button. Only HTTPS pages and those of this machine have a clipboard
// of their own; elsewhere the browser copies the selection. If it can't, the text stays selected.
export async function copyText(text, shown, button) {
  const isCopied = await write(text) || copySelection(shown);
  button.textContent = isCopied ? 'Copied' : 'Selected: copy it with Ctrl+C or ⌘C';
  say(button.textContent, 'copy');
}

async function write(text) {
  if (!navigator.clipboard) return false;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return false; // the person or the browser's settings forbid it
  }
  return true;
}

function copySelection(shown) {
  getSelection().selectAllChildren(shown);
  return document.execCommand('copy');
}
