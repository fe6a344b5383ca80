// The part of a picture's view that sets its focus point: the point that cuts keep.

import { button, element } from './dom.js';

let isOpen = false; // stays from picture to picture

const limit = (value) => Math.min(100, Math.max(0, value));
const round = (value) => Math.round(value * 10) / 10;

// `set` gets the new point, in percent of the picture; undefined removes the point.
export function focusPoint({ name, focus, links }, set) {
  const field = (value, label) => element('input', { type: 'number', min: '0', max: '100', step: 'any', required: true, value, 'aria-label': label });
  const unit = (text) => element('span', { 'aria-hidden': 'true' }, text);
  const across = field(focus?.x ?? '', 'Percent from the left');
  const down = field(focus?.y ?? '', 'Percent from the top');
  const submit = (event) => {
    event.preventDefault();
    set({ x: across.valueAsNumber, y: down.valueAsNumber });
  };
  const state = focus ? `${round(focus.x)} % from the left, ${round(focus.y)} % from the top` : 'not set, so cuts keep the center';
  return element(
    'details', { class: 'focus', open: isOpen, ontoggle: ({ target }) => { isOpen = target.open; } },
    element('summary', {}, `Focus point: ${state}`),
    element('p', { class: 'quiet' }, `Renditions that follow the focus point keep this part. ${links.shown_original ? 'Click the picture, or enter the point.' : 'Enter the point.'}`),
    ...(links.shown_original ? [spot(name, focus, links.shown_original, set)] : []),
    element(
      'form', { class: 'point', onsubmit: submit },
      unit('Left'), across, unit('%'), unit('Top'), down, unit('%'), element('button', {}, 'Set'), ...(focus ? [button('Remove', () => set())] : []),
    ),
  );
}

// The picture, with a mark at the point. A click on it sets the point; the form does the same for the keyboard.
function spot(name, focus, url, set) {
  const choose = ({ offsetX, offsetY, target }) => set({
    x: round(limit((offsetX / target.clientWidth) * 100)), y: round(limit((offsetY / target.clientHeight) * 100)),
  });
  const shown = element('div', { class: 'spot' }, element('img', { src: url, alt: `Original of ${name}`, loading: 'lazy', onclick: choose }));
  if (focus) {
    const mark = element('span');
    Object.assign(mark.style, { left: `${focus.x}%`, top: `${focus.y}%` });
    shown.append(mark);
  }
  return shown;
}
