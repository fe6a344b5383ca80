// The page: connects its parts with the server's events and with the page's URL.

import { logIn, token } from './api.js';
import { say } from './announcer.js';
import * as bin from './bin.js';
import { connect } from './connection.js';
import { button } from './dom.js';
import * as dropping from './dropping.js';
import { Gallery } from './gallery.js';
import * as pictureView from './picture.js';
import * as place from './place.js';
import * as problems from './problems.js';
import * as shortcuts from './shortcuts.js';
import * as status from './status.js';
import { keepDeleted } from './status.js';
import { showTotals } from './totals.js';
import { undoLast } from './undo.js';
import * as uploads from './uploads.js';

const title = document.querySelector('#pictures-title');
const gallery = new Gallery(document.querySelector('#gallery'), document.querySelector('#note'), title);
const pictures = document.querySelector('#pictures');
const problemView = document.querySelector('#problems');
const VIEWS = { '': pictures, problems: problemView, bin: document.querySelector('#bin') };
const filters = document.querySelector('#filters');
const connection = document.querySelector('#connection');
const STATES = { live: 'live', polling: 'updated every few seconds', lost: 'lost, trying again' };

// A view may have made a picture's link again while the picture was open.
pictureView.connect(gallery, (name) => {
  const shown = VIEWS[view] ?? pictures;
  const link = [...shown.querySelectorAll('a')].find((each) => each.textContent === name);
  (link ?? shown.querySelector('h2')).focus();
});
dropping.connect(uploads.add);

filters.addEventListener('click', ({ target }) => {
  const chosen = target.closest('button');
  if (chosen) place.go({ status: chosen.dataset.status });
});

const links = [...document.querySelectorAll('nav a')];
for (const link of links) link.addEventListener('click', (event) => place.follow(event, viewOf(link.dataset.view)));

const viewOf = (view) => ({ view, status: '', picture: '' });

// Shows what the page's URL says.
let view = null;
function move(where) {
  const isMove = view !== null && where.view !== view;
  view = where.view;
  for (const link of links) {
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.body.dataset.view = view;
  const shown = VIEWS[view] ?? pictures;
  for (const each of Object.values(VIEWS)) each.hidden = each !== shown;
  if (isMove) shown.querySelector('h2').focus();
  problems.show();
  bin.show();
  for (const each of filters.children) each.setAttribute('aria-pressed', String(each.dataset.status === where.status));
  gallery.show(where.status);
  pictureView.follow(where);
}
place.onMove(move);

let totalsDue = null;
function report({ name, picture, result, reason }) {
  gallery.update(name, picture);
  if (result === 'failed' && !picture) uploads.wait(name, reason);
  else uploads.report(name, picture, result !== undefined);
  pictureView.report(name, picture, result);
  totalsDue ??= setTimeout(() => { totalsDue = null; showTotals(); status.show(); problems.refresh(); bin.refresh(); }, 300);
}

function reload() {
  gallery.reload();
  pictureView.reload();
}

let state = '';
connect(report, reload, (now) => {
  if (now === state) return;
  connection.textContent = STATES[now];
  if (state === 'lost' || now === 'lost') say(now === 'lost' ? 'The connection to the server is lost.' : 'The server answers again.', 'connection');
  state = now;
});

// If the server sets a cookie, its page already has a button to log out.
if (token.read()) {
  document.querySelector('footer').append(button('Log out', () => { token.write(''); logIn(); }));
}

shortcuts.connect([
  ['u', 'choose files to upload', () => document.querySelector('#choose').click()],
  ['g', 'go to the pictures', () => { place.go(viewOf('')); gallery.focusFirst(); }],
  ['p', 'go to the problems', () => { place.go(viewOf('problems')); problemView.querySelector('h2').focus(); }],
  ['b', 'go to the bin', () => { if (keepDeleted()) place.go(viewOf('bin')); }],
  ['z', 'undo the last deletion', undoLast],
]);

showTotals();
status.show();
move(place.here());
