// A form that sends one request of the API's description, and shows the answer.

import { authorize, urlOf } from './api.js';
import { button, element } from './dom.js';

const LEAST_SUCCESS = 200;
const FIRST_REDIRECT = 300;
const MOST_SHOWN = 100_000;
const ENDLESS = ['text/event-stream'];
const FORM = 'multipart/form-data';

// Returns a closed part of the page with the form. Uploads and endless answers have none.
export function makeTrial(method, path, operation) {
  const content = operation.requestBody?.content ?? {};
  const [type] = Object.keys(content);
  const answerTypes = Object.values(operation.responses).flatMap((answer) => Object.keys(answer.content ?? {}));
  if (type === FORM || answerTypes.some((each) => ENDLESS.includes(each))) return '';
  const label = `${method.toUpperCase()} ${path}`;
  const fields = (operation.parameters ?? []).map((parameter) => makeField(parameter));
  const body = type ? element('textarea', { rows: '6', 'aria-label': `Body of ${label}`, spellcheck: 'false' }) : null;
  if (body) body.value = JSON.stringify(content[type].example, null, 2);
  const output = element('div', { role: 'status' });
  const send = button('Send', async () => {
    send.disabled = true;
    try {
      output.replaceChildren(...await request(method, fill(path, fields), body && { type, text: body.value }));
    } catch (error) {
      output.replaceChildren(element('p', { class: 'reason' }, `Can't reach the server: ${error.message}`));
    } finally {
      send.disabled = false;
    }
  });
  send.setAttribute('aria-label', `Send ${label}`);
  return element('details', { class: 'trial' }, element('summary', {}, 'Try it'), ...fields.map(({ row }) => row), ...(body ? [body] : []), send, output);
}

function makeField({ name, in: where, schema, example }) {
  const values = schema.enum ?? (schema.type === 'boolean' ? ['true', 'false'] : null);
  const input = values
    ? element('select', {}, ...(where === 'path' ? [] : ['']).concat(values).map((each) => element('option', {}, each)))
    : element('input', { type: 'text', spellcheck: 'false' });
  input.value = example ?? '';
  return { name, where, input, row: element('label', {}, element('code', {}, name), ' ', input) };
}

// Returns the path with the fields' values. The slashes of a picture's name stay in the URL.
function fill(path, fields) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, where, input } of fields) {
    if (where === 'path') filled = filled.replace(`{${name}}`, input.value.split('/').map(encodeURIComponent).join('/'));
    else if (input.value) query.set(name, input.value);
  }
  return String(query) ? `${filled}?${query}` : filled;
}

async function request(method, path, body) {
  const headers = { ...authorize(), ...(body ? { 'Content-Type': body.type } : {}) };
  const began = performance.now();
  const answer = await fetch(urlOf(path), { method: method.toUpperCase(), headers, ...(body ? { body: body.text } : {}) });
  const content = await answer.blob();
  const isGood = answer.status >= LEAST_SUCCESS && answer.status < FIRST_REDIRECT;
  const line = `${answer.status} ${answer.statusText}, ${content.size} bytes, ${Math.round(performance.now() - began)} ms`;
  return [element('p', { class: isGood ? 'good' : 'reason' }, line), ...await show(content)];
}

async function show(content) {
  if (!content.size) return [];
  if (content.type.startsWith('image/')) return [element('img', { src: URL.createObjectURL(content), alt: 'The answer' })];
  const text = await content.slice(0, MOST_SHOWN).text();
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it isn't JSON, or too long */ }
  return [element('pre', { tabindex: '0' }, shown)];
}
