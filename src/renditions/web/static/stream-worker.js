// A shared worker that holds one stream of events for all tabs. A browser opens only six connections to a server, so
// a stream for each tab would leave none for anything else.

import { Stream } from './stream.js';

const tabs = new Set();
const stream = new Stream((message) => { for (const tab of tabs) tab.postMessage(message); });

self.addEventListener('connect', ({ ports: [tab] }) => {
  tab.onmessage = ({ data }) => {
    if (data === 'leave') { tabs.delete(tab); return; }
    tabs.add(tab);
    tab.postMessage({ state: stream.state });
  };
});
