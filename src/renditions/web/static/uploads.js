// Uploads a few files at a time, shows their progress, and retries when the connection is back.

import { call, element, formatBytes, formatSeconds, isPassing, Problem, readFormats } from './api.js';

const AT_ONCE = 3;
const ATTEMPTS = 6;

const section = document.querySelector('#uploads');
const list = section.querySelector('ul');
const waiting = [];
const named = new Map();
let running = 0;

export function add(files) {
  for (const file of files) waiting.push(new Upload(file));
  section.hidden = list.children.length === 0;
  next();
}

// Shows the result that the server reported for a picture of this list.
export function tell(name, picture) {
  named.get(name)?.end(picture);
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift().run().finally(() => { running -= 1; next(); });
  }
}

// Returns how long processing took, and the sizes of the renditions.
function sum(picture) {
  const sizes = Object.values(picture.renditions ?? {}).map((output) => output.size_bytes).sort((one, other) => one - other);
  const seconds = workSeconds(picture.history ?? []);
  const time = seconds === null ? '' : ` in ${formatSeconds(seconds)}`;
  if (!sizes.length) return time;
  const range = [...new Set([formatBytes(sizes[0]), formatBytes(sizes.at(-1))])].join(' to ');
  const before = picture.original_size_bytes ? ` instead of ${formatBytes(picture.original_size_bytes)}` : '';
  return `${time}: ${sizes.length} rendition${sizes.length === 1 ? '' : 's'}, ${range}${before}`;
}

function workSeconds(history) {
  const begun = history.findLast((event) => event.status === 'processing');
  const ended = history.at(-1);
  return begun && ended !== begun ? (new Date(ended.timestamp) - new Date(begun.timestamp)) / 1000 : null;
}

// Returns the media type of a name by the server's list, for suffixes that the browser doesn't know.
async function typeOf(name) {
  const suffix = name.split('.').pop().toLowerCase();
  const { sources } = await readFormats();
  return sources.find(({ suffixes }) => suffixes.includes(suffix))?.type ?? '';
}

class Upload {
  constructor(file) {
    this.file = file;
    this.progress = element('progress', { max: '1', value: '0', 'aria-label': `Progress of ${file.name}` });
    this.state = element('span', { class: 'state', role: 'status' }, 'waiting');
    this.button = element('button', { type: 'button', onclick: () => this.press() }, 'Cancel');
    this.button.setAttribute('aria-label', `Cancel ${file.name}`);
    this.row = element('li', {}, element('span', { class: 'name', title: file.name }, file.name), this.progress, this.button, this.state);
    this.cancelled = false;
    list.append(this.row);
  }

  async run() {
    if (this.cancelled) return;
    this.row.className = '';
    try {
      try {
        await this.deliver();
      } catch (error) {
        if (error.status !== 403 || this.cancelled) throw error;
        await this.deliver(); // The form expired, or the server was restarted with another key.
      }
      this.progress.value = 1;
      this.button.hidden = true;
      if (!this.ended) this.say('uploaded; the renditions will follow');
    } catch (error) {
      if (!this.cancelled) this.fail(error instanceof Problem ? error.message : `can't reach the server: ${error.message}`);
    }
  }

  async deliver() {
    const type = this.file.type || await this.again(() => typeOf(this.file.name));
    const form = await this.again(() => call('POST', '/uploads', {
      name: this.file.webkitRelativePath || this.file.name, type, size_bytes: this.file.size,
    }));
    named.set(form.name, this);
    await this.again(() => this.send(form));
  }

  // Repeats a step until it succeeds, after longer and longer pauses. It doesn't repeat a refused step.
  async again(step) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await step();
      } catch (error) {
        if (error instanceof Problem || this.cancelled || attempt === ATTEMPTS) throw error;
        this.say(`${error instanceof TypeError ? 'the connection was lost' : error.message}; trying again (${attempt} of ${ATTEMPTS - 1})`);
        await new Promise((resolve) => { setTimeout(resolve, 2 ** attempt * 250); });
      }
    }
  }

  send(form) {
    return new Promise((resolve, reject) => {
      const body = new FormData();
      for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
      body.append('file', this.file);
      this.request = new XMLHttpRequest();
      this.request.upload.onprogress = (event) => {
        if (event.lengthComputable) this.progress.value = event.loaded / event.total;
        this.say('uploading');
      };
      this.request.onload = () => {
        const { status } = this.request;
        // If the picture already exists, an earlier attempt arrived, but its answer was lost.
        if (status < 300 || (status === 409 && this.sent)) return resolve();
        let detail = `the server answered ${status}`;
        try { detail = JSON.parse(this.request.responseText).detail; } catch { /* S3 answers in XML */ }
        return reject(isPassing(status) ? new Error(detail) : Object.assign(new Problem(detail), { status }));
      };
      this.request.onerror = () => { this.sent = true; reject(new Error('the connection was lost')); };
      this.request.onabort = () => reject(new Error('cancelled'));
      this.request.open('POST', form.url);
      this.request.send(body);
    });
  }

  press() {
    if (this.row.classList.contains('bad')) {
      this.button.textContent = 'Cancel';
      waiting.push(this);
      this.cancelled = false;
      this.say('waiting');
      next();
      return;
    }
    this.cancelled = true;
    this.request?.abort();
    this.fail('cancelled');
  }

  end(picture) {
    if (!picture || picture.status === 'processing') return;
    this.ended = true;
    this.button.hidden = true;
    this.progress.value = 1;
    if (picture.status === 'done') this.say(`done${sum(picture)}`, 'good over');
    else this.say(`${picture.status}: ${picture.reason}`, 'bad over');
  }

  fail(why) {
    this.say(why, 'bad');
    this.button.textContent = 'Try again';
    this.button.setAttribute('aria-label', `Try ${this.file.name} again`);
  }

  say(text, kind = '') {
    this.state.textContent = text;
    this.row.className = kind;
  }
}

document.querySelector('#clear').addEventListener('click', () => {
  for (const row of list.querySelectorAll('.good, .bad')) row.remove();
  section.hidden = list.children.length === 0;
});
