// The server's stream of events.

const RETRY_MS = 10_000;

// Reports messages: {state: 'live' | 'lost'} and {picture: an event's item}. Before each 'live', the page may have missed
// events, because there was no stream, or because the server no longer keeps them.
export class Stream {
  constructor(report) {
    this.report = report;
    this.state = 'lost';
    this.open();
  }

  open() {
    this.events = new EventSource(new URL('../../events', import.meta.url));
    this.events.addEventListener('hello', () => this.turn('live'));
    this.events.addEventListener('picture', ({ data }) => this.report({ picture: JSON.parse(data) }));
    this.events.onerror = () => {
      this.turn('lost');
      // After an answer with an error, the browser gives up.
      if (this.events.readyState === EventSource.CLOSED) this.due = setTimeout(() => this.open(), RETRY_MS);
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
