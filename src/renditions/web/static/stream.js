// The server's stream of events.

const RETRY_MS = 10_000;
const SILENCE_MS = 40_000; // the server sends an event at least every 15 seconds

// Reports messages: {state: 'live' | 'lost'} and {picture: an event's item}. Before each 'live', the page may have missed
// events, because there was no stream, or because the server no longer keeps them.
export class Stream {
  constructor(report) {
    this.report = report;
    this.state = 'lost';
    this.open();
  }

  open() {
    this.watch();
    this.events = new EventSource(new URL('../../events', import.meta.url));
    this.events.addEventListener('hello', () => { this.watch(); this.turn('live'); });
    this.events.addEventListener('picture', ({ data }) => { this.watch(); this.report({ picture: JSON.parse(data) }); });
    this.events.addEventListener('here', () => this.watch());
    this.events.onerror = () => {
      this.turn('lost');
      // After an answer with an error, the browser gives up.
      if (this.events.readyState === EventSource.CLOSED) this.due = setTimeout(() => this.open(), RETRY_MS);
    };
  }

  // Opens another stream if this one stays silent. After a computer has slept, or lost its network, the browser may not
  // notice that the connection is dead.
  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => { this.close(); this.open(); }, SILENCE_MS);
  }

  close() {
    clearTimeout(this.due);
    clearTimeout(this.silence);
    this.events.close();
    this.turn('lost');
  }

  turn(state) {
    this.state = state;
    this.report({ state });
  }
}
