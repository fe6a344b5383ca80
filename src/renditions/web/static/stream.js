// The server's stream of events.

const RETRY_MS = 10_000;

// Reports messages: {state: 'live' | 'lost'}, {picture: an event's item}, and {reset: true} if events were missed.
export class Stream {
  constructor(report) {
    this.report = report;
    this.state = 'lost';
    this.hasHeard = false;
    this.open();
  }

  open() {
    this.events = new EventSource(new URL('../events', import.meta.url));
    let hasHeardHere = false;
    this.events.addEventListener('hello', () => {
      // A new EventSource can't say which event was the last one.
      if (this.hasHeard && !hasHeardHere) this.report({ reset: true });
      this.hasHeard = true;
      hasHeardHere = true;
      this.turn('live');
    });
    this.events.addEventListener('picture', ({ data }) => this.report({ picture: JSON.parse(data) }));
    this.events.addEventListener('reset', () => { hasHeardHere = true; this.report({ reset: true }); });
    this.events.onerror = () => {
      this.turn('lost');
      // The browser has given up. A server that never sent events has none.
      if (this.events.readyState === EventSource.CLOSED && this.hasHeard) this.due = setTimeout(() => this.open(), RETRY_MS);
    };
  }

  close() {
    clearTimeout(this.due);
    this.events.close();
    this.turn('lost');
  }

  turn(state) {
    this.state = state;
    this.report({ state });
  }
}
