// The gallery. The page contains only the visible rows, so it can show any number of pictures.

import { call, element, formatBytes, insist } from './api.js';
import { averageColour } from './placeholder.js';

const GAP = 12;
const CAPTION = 48;
const MARGIN_ROWS = 2;
const PAGE = 200;

export class Gallery {
  constructor(root, onOpen) {
    this.root = root;
    this.onOpen = onOpen;
    this.tiles = new Map();
    this.show('');
    const redraw = () => { this.due ??= requestAnimationFrame(() => { this.due = null; this.draw(); }); };
    addEventListener('scroll', redraw, { passive: true });
    // Content above the gallery moves it without changing its size.
    const sizes = new ResizeObserver(redraw);
    for (const each of [root, document.body]) sizes.observe(each);
  }

  async show(status) {
    this.status = status;
    this.pictures = [];
    this.cursor = undefined;
    this.loading = null;
    this.clear();
    await this.more();
  }

  // Loads the next page of the list. Only one request runs at a time, because the pages must come in order.
  async more() {
    if (this.cursor === null || this.loading) return this.loading;
    const { status } = this;
    const query = new URLSearchParams({ limit: PAGE });
    if (status) query.set('status', status);
    if (this.cursor) query.set('cursor', this.cursor);
    const loading = insist(() => call('GET', `/pictures?${query}`));
    this.loading = loading;
    try {
      const page = await loading;
      if (loading !== this.loading) return undefined; // the user has chosen another list meanwhile
      const known = new Set(this.pictures.map((picture) => picture.name));
      this.pictures.push(...page.pictures.filter((picture) => !known.has(picture.name)));
      this.cursor = page.next;
    } finally {
      if (loading === this.loading) this.loading = null;
    }
    this.draw();
    return undefined;
  }

  // Shows a changed picture. A new one comes first. `picture` is null if the picture was deleted.
  update(name, picture) {
    const at = this.pictures.findIndex((each) => each.name === name);
    const fits = picture && (!this.status || picture.status === this.status);
    if (at >= 0 && fits) this.pictures[at] = picture;
    else if (at >= 0) this.pictures.splice(at, 1);
    else if (fits) this.pictures.unshift(picture);
    this.tiles.get(name)?.remove();
    this.tiles.delete(name);
    this.draw();
  }

  clear() {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
  }

  draw() {
    const least = parseFloat(getComputedStyle(this.root).getPropertyValue('--tile'));
    const width = this.root.clientWidth;
    const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const side = Math.floor((width + GAP) / columns) - GAP;
    this.root.style.setProperty('--side', `${side}px`);
    const height = side + CAPTION + GAP;
    const rows = Math.ceil(this.pictures.length / columns);
    this.root.style.height = `${rows * height}px`;
    const empty = document.querySelector('#empty');
    empty.hidden = this.pictures.length > 0 || this.loading !== null;
    empty.textContent = this.status ? `No picture is ${this.status}.` : 'No pictures yet. Drop one above.';
    const top = -this.root.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - MARGIN_ROWS) * columns;
    const last = Math.min(this.pictures.length, (Math.ceil((top + innerHeight) / height) + MARGIN_ROWS) * columns);
    const seen = new Set();
    for (let at = first; at < last; at += 1) {
      const picture = this.pictures[at];
      seen.add(picture.name);
      let tile = this.tiles.get(picture.name);
      if (!tile) {
        tile = this.makeTile(picture);
        this.tiles.set(picture.name, tile);
        this.root.append(tile);
      }
      tile.style.transform = `translate(${(at % columns) * (side + GAP)}px, ${Math.floor(at / columns) * height}px)`;
    }
    for (const [name, tile] of this.tiles) {
      if (!seen.has(name)) { tile.remove(); this.tiles.delete(name); }
    }
    if (last >= this.pictures.length - columns * MARGIN_ROWS) this.more();
  }

  makeTile(picture) {
    const frame = element('span', { class: 'frame' });
    frame.style.background = averageColour(picture.analysis) ?? '';
    if (picture.preview) frame.append(element('img', { src: picture.preview, alt: '', loading: 'lazy', decoding: 'async' }));
    else frame.append(picture.status === 'done' ? 'no preview' : picture.status);
    const mark = picture.warnings ? ' ⚠' : '';
    const size = picture.original_size_bytes ? ` · ${formatBytes(picture.original_size_bytes)}` : '';
    return element(
      'button',
      { type: 'button', class: 'tile', role: 'listitem', 'data-status': picture.status, onclick: () => this.onOpen(picture.name) },
      frame,
      element('span', { class: 'text' }, element('span', { title: picture.name }, picture.name), element('span', { class: 'status' }, picture.status + mark + size)),
    );
  }
}
