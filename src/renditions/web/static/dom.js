// Makes elements, and changes what is shown without losing the keyboard's focus.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children);
  return made;
}

export const button = (text, onclick, attributes = {}) => element('button', { type: 'button', onclick, ...attributes }, text);

// A picture. If it can't be loaded, `missing` takes its place: a broken picture says nothing.
export function image(attributes, missing) {
  const made = element('img', attributes);
  made.addEventListener('error', () => made.replaceWith(missing));
  return made;
}

// Gives an element these children in this order. Children that are in place aren't moved, because an element that
// is moved loses the focus.
export function arrange(parent, children) {
  const focused = document.activeElement;
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

const FOCUSABLE = 'a[href], button, input, summary, [tabindex]';

// Sections of a view. A section is made again only if what it shows has changed. If the focus was in it, the focus
// goes to the control in the same place, or else to `fallback`.
export class Sections {
  constructor(root, fallback) {
    this.root = root;
    this.fallback = fallback;
    this.made = new Map();
  }

  // Shows the sections in this order: a key, the data that decides what it shows, and a function that makes it.
  show(sections) {
    const focused = this.root.contains(document.activeElement) ? document.activeElement : null;
    const owner = [...this.made].find(([, { node }]) => node.contains(focused));
    const index = owner ? [...owner[1].node.querySelectorAll(FOCUSABLE)].indexOf(focused) : -1;
    const made = new Map();
    for (const [key, data, make] of sections) {
      const text = JSON.stringify(data);
      const before = this.made.get(key);
      made.set(key, before?.text === text ? before : { text, node: make(data) });
    }
    this.made = made;
    arrange(this.root, [...made.values()].map(({ node }) => node));
    if (focused && !focused.isConnected) {
      const same = [...(made.get(owner?.[0])?.node.querySelectorAll(FOCUSABLE) ?? [])][index];
      (same?.tagName === focused.tagName ? same : this.fallback()).focus({ preventScroll: true });
    }
  }
}
