// The view of all problems: failed pictures, rejected ones and those with warnings, by cause, with advice.

import { call, describeTrouble, inOrder, insist } from './api.js';
import { say } from './announcer.js';
import { Sections, button, element } from './dom.js';
import * as place from './place.js';
import { count, formatCount } from './words.js';

const REFRESH_MS = 1000;
const STATUSES = ['failed', 'rejected', 'done'];
const MOST_WARNED_REQUESTS = 5; // for pictures that are done, which may be very many

const section = document.querySelector('#problems');
const title = section.querySelector('h2');
const sections = new Sections(section.querySelector('div'), () => title);
let most = MOST_WARNED_REQUESTS;
let loading = null;
let due = null;

export function show() {
  if (section.hidden) return;
  if (!sections.made.size) sections.show([note('Loading…')]);
  loading = load();
}

// Shows the problems again, soon after the last change.
export function refresh() {
  if (section.hidden || due) return;
  due = setTimeout(async () => { await loading; due = null; show(); }, REFRESH_MS);
}

const note = (text) => ['note', text, () => element('p', { class: 'quiet' }, text)];

const load = inOrder(collect, draw, (trouble) => sections.show([note(`${trouble} Trying again…`)]));

async function collect(onTrouble) {
  const groups = new Map();
  let older = null; // how many done pictures were checked, if there are more
  for (const status of STATUSES) {
    let cursor = '';
    let checked = 0;
    for (let requests = 0; cursor !== null && !(status === 'done' && requests === most); requests += 1) {
      const query = new URLSearchParams({ status, ...(cursor && { cursor }) });
      const page = await insist(() => call('GET', `/problems?${query}`), onTrouble);
      for (const group of page.groups) add(groups, group);
      checked += page.checked;
      cursor = page.next;
    }
    if (cursor !== null) older = checked;
  }
  return { groups: [...groups.values()], older };
}

function add(groups, group) {
  const key = `${group.status} ${group.code}`;
  const before = groups.get(key);
  groups.set(key, before ? { ...before, count: before.count + group.count } : group);
}

function draw({ groups, older }) {
  sections.show([
    ...(groups.length ? [] : [note('No picture has a problem.')]),
    ...groups.map((group) => [`${group.status} ${group.code}`, group, describe]),
    ...(older === null ? [] : [['older', older, describeOlder]]),
  ]);
}

const WORDS = { failed: 'failed', rejected: 'rejected', done: 'done with a warning' };

function describe(group) {
  const { status, code, count: number, meaning, advice, pictures } = group;
  const again = button(`Try ${number === 1 ? 'it' : `all ${formatCount(number)}`} again`, () => retry(group, again), {
    'aria-label': `Try ${count(number, 'picture')} again: ${meaning || code}`,
  });
  return element(
    'section', { class: 'cause', 'data-status': status },
    element('div', { class: 'bar' }, element('h3', {}, `${count(number, 'picture')} ${WORDS[status]}: ${meaning || code}`), ...(status === 'done' ? [] : [again])),
    ...(advice ? [element('p', {}, element('strong', {}, 'What to do: '), advice)] : []),
    element('ul', {}, ...pictures.map(({ name, reason }) => element('li', {}, linkTo(name), ` ${reason}`))),
    ...(number > pictures.length ? [element('p', { class: 'quiet' }, `and ${formatCount(number - pictures.length)} more`)] : []),
  );
}

const linkTo = (name) => element('a', { href: place.hrefOf({ picture: name }), onclick: (event) => place.follow(event, { picture: name }) }, name);

function describeOlder(checked) {
  const more = button('Check older pictures', () => { most += MOST_WARNED_REQUESTS; show(); });
  return element('p', { class: 'quiet' }, `The newest ${formatCount(checked)} pictures that are done were checked for warnings. `, more);
}

async function retry({ status, code }, control) {
  control.textContent = 'Trying again…';
  let retried = 0;
  try {
    for (let cursor = ''; cursor !== null;) {
      const page = await call('POST', '/retry', { statuses: [status], code, cursor });
      retried += page.retried;
      cursor = page.next;
    }
    say(`${count(retried, 'picture')} will be tried again.`, 'retry');
  } catch (error) {
    const trouble = error instanceof TypeError ? describeTrouble(error) : error.message;
    control.textContent = trouble;
    say(trouble, 'retry');
  }
  refresh();
}
