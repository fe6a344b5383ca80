// A value that the browser stores for the page. A browser that blocks site data throws an error for each use of its
// storage. Then only this page keeps the value, until it is left.

export class Stored {
  // `area` is the name of one of the browser's storages.
  constructor(area, key) {
    this.area = area;
    this.key = key;
    this.kept = null;
  }

  read() {
    try {
      return window[this.area].getItem(this.key);
    } catch {
      return this.kept;
    }
  }

  write(value) {
    this.kept = value;
    try { window[this.area].setItem(this.key, value); } catch { /* the browser blocks site data */ }
  }
}
