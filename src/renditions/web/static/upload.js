// One file that is uploaded: its row in the list, and the steps of its upload.

import { Problem, call, describeTrouble, path, readFormats } from './api.js';
import * as conflict from './conflict.js';
import { button, element } from './dom.js';
import { Transfer } from './transfer.js';
import { formatBytes, formatSeconds } from './words.js';

const ATTEMPTS = 8; // for about a minute: a restart of the server takes no longer
const FIRST_PAUSE_MS = 500;

// The states of an upload. Those in `ENDED` end what the person started.
export const ENDED = ['done', 'rejected', 'failed', 'cancelled', 'skipped', 'refused'];
const GOOD = ['done'];
const AGAIN = ['cancelled', 'skipped', 'refused'];

export class Upload {
  // `queue` knows the other uploads: see uploads.js.
  constructor({ name, file }, queue, answer) {
    this.file = file;
    this.given = answer;
    this.answer = answer;
    this.queue = queue;
    this.wanted = name;
    this.progress = element('progress', { max: '1', value: '0', 'aria-label': `Progress of ${name}` });
    this.words = element('span', { class: 'state' });
    this.button = button('', () => this.press());
    this.row = element('li', {}, element('span', { class: 'name', title: name }, name), this.progress, this.button, this.words);
    this.turn('waiting', 'waiting');
  }

  get hasEnded() {
    return ENDED.includes(this.state);
  }

  async run() {
    if (this.state !== 'waiting') return;
    this.transfer = new Transfer(this.file, (share) => {
      this.progress.value = share;
      if (this.state === 'uploading') this.turn('uploading', share < 1 ? 'uploading' : 'uploaded; waiting for the server');
    });
    this.turn('uploading', 'starting');
    await this.queue.waitForName(this); // only once: a later upload of this name may wait for this one by now
    try {
      try {
        this.early = null;
        await this.deliver();
      } catch (error) {
        if (![401, 403].includes(error.status)) throw error;
        await this.deliver(); // The form or the log-in expired, or the server was restarted with another key.
      }
      if (this.state === 'uploading') this.turn('stored', 'uploaded; the renditions will follow');
      if (this.early) this.report(this.early, true);
      if (this.former) this.report(await this.readRecord(), false);
    } catch (error) {
      this.isFinal = error instanceof Problem;
      if (!this.hasEnded) this.turn('refused', this.isFinal ? error.message : describeTrouble(error));
    }
  }

  async deliver() {
    await this.insistReadable();
    const type = this.file.type || await this.again(() => typeOf(this.file.name));
    const form = await this.findForm(type);
    if (!form || this.hasEnded) return;
    this.name = form.name;
    this.queue.expect(this);
    this.etag = await this.again(async () => {
      await this.insistReadable();
      return this.transfer.send(form);
    });
  }

  // A browser can't read a file that was changed after it was chosen. It would report that like a lost connection.
  async insistReadable() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Problem("The browser can't read this file. It may have been changed, moved or deleted. Choose it again.");
    }
  }

  // Gets a form. The server gives a picture another name if the name exists; then the person decides.
  async findForm(type) {
    const ask = (replace) => this.again(() => call('POST', '/uploads', { name: this.wanted, type, size_bytes: this.file.size, replace }));
    const form = await ask(this.answer === 'replace');
    if (form.name === this.wanted || this.answer) return form;
    this.turn('uploading', 'already exists');
    this.answer = await this.queue.standAside(conflict.decide(this.wanted, this.queue.countOpen() - 1));
    if (this.hasEnded) return null;
    if (this.answer === 'replace') {
      this.former = (await this.readRecord())?.timestamp;
      return ask(true);
    }
    if (this.answer === 'skip') this.turn('skipped', 'skipped, because the name already exists');
    return form;
  }

  readRecord() {
    return this.again(() => call('GET', `/pictures/${path(this.wanted)}`)).catch(() => null);
  }

  // Repeats a step until it succeeds, after longer and longer pauses. It doesn't repeat a refused step.
  async again(step) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await step();
      } catch (error) {
        if (error instanceof Problem || this.hasEnded || attempt === ATTEMPTS) throw error;
        this.turn('uploading', `${describeTrouble(error)} Trying again (${attempt} of ${ATTEMPTS - 1})`);
        await new Promise((resolve) => { setTimeout(resolve, 2 ** (attempt - 1) * FIRST_PAUSE_MS); });
        if (this.hasEnded) throw error;
      }
    }
  }

  press() {
    if (this.hasEnded) this.queue.restart(this);
    else this.cancel();
  }

  cancel() {
    this.turn('cancelled', 'cancelled');
    this.transfer?.cancel();
  }

  // Shows the result that the server reported for the picture. `isNews` is false for the result of a poll. It may be that
  // of the replaced picture, unless that one has the same content and so keeps its result.
  report(picture, isNews) {
    const isFormer = !isNews && picture?.timestamp === this.former && picture?.etag !== this.etag;
    if (!picture || picture.status === 'processing' || isFormer) return;
    if (this.state === 'uploading') { this.early = picture; return; } // sooner than the answer to the upload
    if (AGAIN.includes(this.state) || this.state === 'waiting') return;
    this.progress.value = 1;
    const name = this.name === this.wanted ? '' : ` as ${this.name}`;
    this.turn(picture.status, picture.status === 'done' ? `done${name}${sum(picture)}` : `${picture.status}${name}: ${picture.reason}`);
  }

  wait(reason) {
    if (this.state === 'stored') this.turn('stored', `uploaded; waiting: ${reason}`);
  }

  turn(state, words) {
    this.state = state;
    this.words.textContent = words;
    const kind = GOOD.includes(state) ? 'good' : 'bad';
    this.row.className = this.hasEnded ? kind : '';
    this.progress.hidden = this.hasEnded;
    const isAgain = AGAIN.includes(state);
    const hadFocus = document.activeElement === this.button;
    this.button.hidden = !isAgain && !['waiting', 'uploading'].includes(state);
    this.button.textContent = isAgain ? 'Try again' : 'Cancel';
    this.button.setAttribute('aria-label', isAgain ? `Try ${this.wanted} again` : `Cancel ${this.wanted}`);
    if (hadFocus && this.button.hidden) this.queue.passFocus(this.row);
    if (GOOD.includes(state)) this.queue.settle(this.row);
    this.queue.note(this);
  }
}

// How long processing took, and the sizes of the renditions.
function sum(picture) {
  const sizes = Object.values(picture.renditions ?? {}).map((output) => output.size_bytes).sort((one, other) => one - other);
  const seconds = workSeconds(picture.history ?? []);
  const time = seconds === null ? '' : ` in ${formatSeconds(seconds)}`;
  if (!sizes.length) return time;
  const range = [...new Set([formatBytes(sizes[0]), formatBytes(sizes[sizes.length - 1])])].join(' to ');
  const before = picture.original_size_bytes ? ` instead of ${formatBytes(picture.original_size_bytes)}` : '';
  return `${time}: ${sizes.length} rendition${sizes.length === 1 ? '' : 's'}, ${range}${before}`;
}

function workSeconds(history) {
  const ended = history[history.length - 1];
  const begun = history.filter((event) => event.status === 'processing').pop();
  return begun && ended !== begun ? (new Date(ended.timestamp) - new Date(begun.timestamp)) / 1000 : null;
}

// The media type of a name by the server's list, for suffixes that the browser doesn't know.
async function typeOf(name) {
  const suffix = name.split('.').pop().toLowerCase();
  const { sources } = await readFormats();
  return sources.find(({ suffixes }) => suffixes.includes(suffix))?.type ?? '';
}
