// The gallery. The page contains only the visible rows, so it can show any number of pictures.

import { call, insist } from './api.js';
import { arrange } from './dom.js';
import * as place from './place.js';
import { fillTile, makeTile } from './tile.js';

const GAP = 12;
const CAPTION = 48;
const MARGIN_ROWS = 2;
const PAGE = 200;

// The order of the server's lists.
const newestFirst = (one, other) => (one.timestamp < other.timestamp ? 1 : -1);

// Lists have no history, events do.
const isSame = (one, other) => JSON.stringify({ history: 0, ...one, history: 0 }) === JSON.stringify({ history: 0, ...other, history: 0 });

export class Gallery {
  constructor(root, note, fallback) {
    this.root = root;
    this.note = note;
    this.fallback = fallback;
    this.items = new Map();
    this.known = new Map();
    this.pictures = [];
    this.removed = {}; // the last picture that left the list: its name, and where it was
    const redraw = () => this.redraw();
    addEventListener('scroll', redraw, { passive: true });
    // Content above the gallery moves it without changing its size.
    const sizes = new ResizeObserver(redraw);
    for (const each of [root, document.body]) sizes.observe(each);
    root.addEventListener('keydown', (event) => this.move(event));
  }

  // Shows the list of one status, or of all. Until the server answers, it shows what was loaded before.
  async show(status) {
    if (status === this.status) { this.draw(); return; }
    this.status = status;
    this.pictures = [...this.known.values()].filter((picture) => this.fits(picture)).sort(newestFirst);
    await this.load();
  }

  // Loads the list again, because changes were missed.
  async reload() {
    this.known.clear();
    await this.load();
  }

  async load() {
    this.isFresh = false;
    this.late = [];
    this.cursor = undefined;
    this.loading = null;
    this.trouble = '';
    this.draw();
    await this.more();
  }

  fits(picture) {
    return !this.status || picture.status === this.status;
  }

  // Loads the next page of the list. Only one request runs at a time, because the pages must come in order.
  async more() {
    if (this.cursor === null || this.loading) return this.loading;
    const query = new URLSearchParams({ limit: PAGE });
    if (this.status) query.set('status', this.status);
    if (this.cursor) query.set('cursor', this.cursor);
    const loading = insist(() => call('GET', `/pictures?${query}`), (trouble) => {
      if (loading === this.loading) { this.trouble = trouble; this.draw(); }
    });
    this.loading = loading;
    try {
      const page = await loading;
      if (loading !== this.loading) return undefined; // the user has chosen another list meanwhile
      if (!this.isFresh) this.pictures = [];
      this.isFresh = true;
      this.trouble = '';
      const listed = new Set(this.pictures.map((picture) => picture.name));
      this.pictures.push(...page.pictures.filter((picture) => !listed.has(picture.name)));
      for (const picture of page.pictures) this.known.set(picture.name, picture);
      this.cursor = page.next;
    } finally {
      if (loading === this.loading) this.loading = null;
    }
    for (const change of this.late.splice(0)) this.put(...change);
    this.draw();
    return undefined;
  }

  // Shows a changed picture. A new one comes first. `picture` is null if the picture was deleted.
  update(name, picture) {
    if (picture && isSame(picture, this.known.get(name))) return;
    if (this.loading) this.late.push([name, picture]); // the server may have read its list before
    this.put(name, picture);
    this.redraw();
  }

  put(name, picture) {
    if (picture) this.known.set(name, picture);
    else this.known.delete(name);
    const at = this.pictures.findIndex((each) => each.name === name);
    const fits = picture && this.fits(picture);
    if (at >= 0 && fits) this.pictures[at] = picture;
    else if (at >= 0) { this.pictures.splice(at, 1); this.removed = { name, at }; }
    else if (fits) this.pictures.unshift(picture);
  }

  // The names before and after this one; null at the ends.
  async neighbours(name) {
    await this.loading;
    const at = this.pictures.findIndex((picture) => picture.name === name);
    if (at < 0) return { previous: null, next: null };
    if (at === this.pictures.length - 1) await this.more();
    return { previous: this.pictures[at - 1]?.name ?? null, next: this.pictures[at + 1]?.name ?? null };
  }

  // Puts the focus on a picture's tile, on the one that took its place, or where the gallery begins.
  focus(name) {
    const at = this.pictures.findIndex((picture) => picture.name === name);
    const last = this.pictures.length - 1;
    if (at >= 0) this.focusAt(at);
    else if (name === this.removed.name && last >= 0) this.focusAt(Math.min(this.removed.at, last));
    else this.fallback.focus();
  }

  focusFirst() {
    if (this.pictures.length) this.focusAt(0);
    else this.fallback.focus();
  }

  focusAt(at) {
    const { columns, height } = this.measure();
    if (!this.items.has(this.pictures[at].name)) {
      scrollBy(0, this.root.getBoundingClientRect().top + Math.floor(at / columns) * height - innerHeight / 2);
      this.draw();
    }
    this.items.get(this.pictures[at].name)?.firstElementChild.focus();
  }

  // The arrow keys lead from tile to tile.
  move(event) {
    const at = this.focusedIndex();
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const { columns } = this.measure();
    const last = this.pictures.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to <= last) this.focusAt(to);
  }

  focusedIndex() {
    const item = document.activeElement?.parentElement;
    return this.root.contains(item) ? this.pictures.findIndex((picture) => this.items.get(picture.name) === item) : -1;
  }

  measure() {
    const least = parseFloat(getComputedStyle(this.root).getPropertyValue('--tile'));
    const width = this.root.clientWidth;
    const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const side = Math.floor((width + GAP) / columns) - GAP;
    return { columns, side, height: side + CAPTION + GAP };
  }

  // Draws once for all changes until the next frame.
  redraw() {
    this.due ??= requestAnimationFrame(() => { this.due = null; this.draw(); });
  }

  draw() {
    if (!this.root.clientWidth) return; // another view is shown
    const { columns, side, height } = this.measure();
    this.root.style.setProperty('--side', `${side}px`);
    this.root.style.height = `${Math.ceil(this.pictures.length / columns) * height}px`;
    const top = -this.root.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - MARGIN_ROWS) * columns;
    const last = Math.min(this.pictures.length, (Math.ceil((top + innerHeight) / height) + MARGIN_ROWS) * columns);
    const drawn = new Map();
    this.pictures.forEach((picture, at) => {
      const before = this.items.get(picture.name);
      // The tile with the focus stays when it is scrolled out of view.
      const isFocused = before?.contains(document.activeElement);
      if ((at < first || at >= last) && !isFocused) return;
      drawn.set(picture.name, this.drawItem(before, picture, at));
      drawn.get(picture.name).style.transform = `translate(${(at % columns) * (side + GAP)}px, ${Math.floor(at / columns) * height}px)`;
    });
    this.replaceItems(drawn);
    this.describe();
    if (last >= this.pictures.length - columns * MARGIN_ROWS) this.more();
  }

  drawItem(before, picture, at) {
    const item = before ?? makeTile(picture);
    if (before && before.picture !== picture) fillTile(item, picture);
    item.picture = picture;
    item.firstElementChild.href = place.hrefOf({ picture: picture.name });
    item.setAttribute('aria-posinset', at + 1);
    item.setAttribute('aria-setsize', this.cursor === null ? this.pictures.length : -1);
    return item;
  }

  // If the tile with the focus is removed, the focus goes to the tile that takes its place.
  replaceItems(drawn) {
    const hadFocus = [...this.items].find(([, item]) => item.contains(document.activeElement));
    const index = hadFocus && [...this.items.keys()].indexOf(hadFocus[0]);
    this.items = drawn;
    arrange(this.root, [...drawn.values()]);
    if (!hadFocus || drawn.has(hadFocus[0])) return;
    const items = [...drawn.values()];
    const next = items[Math.min(index, items.length - 1)];
    (next?.firstElementChild ?? this.fallback).focus({ preventScroll: true });
  }

  describe() {
    const isEmpty = this.pictures.length === 0;
    let text = '';
    if (this.trouble) text = `${this.trouble} ${isEmpty ? 'No pictures were loaded before.' : 'These pictures were loaded before.'} Trying again…`;
    else if (isEmpty && this.loading) text = 'Loading…';
    else if (isEmpty) text = this.status ? `No picture is ${this.status}.` : 'No pictures yet.';
    this.note.hidden = !text;
    this.note.textContent = text;
  }
}
