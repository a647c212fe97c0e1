// One connection to the server: its stream, and polling while the stream says nothing.

const STREAM = "/api/dashboard/stream";
const LIVE = "/api/dashboard/live?section=all";
const SILENT = 3000;     // milliseconds without a document, after which it is asked for
const EVERY = 2000;      // between two questions
const ANEW = 10000;      // of silence, after which the stream is opened anew

// The longer of two clocks: one stops while the machine sleeps, the other may be set back. No age is ever understated.
export const clocks = () => [Date.now(), performance.now()];
export const since = ([date, running]) => Math.max(Date.now() - date, performance.now() - running);

export class Feed {
  // Hands on every document as text, with its age in milliseconds.
  constructor(deliver) {
    this.deliver = deliver;
    this.streamed = this.asked = this.opened = clocks();
    this.timer = null;
  }

  start() {
    if (this.timer !== null) return;
    this.open();
    this.timer = setInterval(() => this.tick(), 1000);
    this.poll();  // a first document at once
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.source.close();
  }

  open() {
    this.opened = clocks();
    this.source = new EventSource(STREAM);
    this.source.addEventListener("live", (message) => {
      this.streamed = clocks();
      this.deliver(message.data, 0);
    });
  }

  tick() {
    if (since(this.streamed) <= SILENT) return;
    if (since(this.asked) >= EVERY && !this.asking) this.poll();
    if (Math.min(since(this.streamed), since(this.opened)) > ANEW) {
      this.source.close();
      this.open();
    }
  }

  async poll() {
    this.asking = true;
    const asked = this.asked = clocks();
    try {
      const answer = await fetch(LIVE, { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!answer.ok) throw new Error(`the live dashboard answered ${answer.status}`);
      this.deliver(await answer.text(), since(asked));
    } catch (error) {
      console.warn(error);  // the reader learns of it from the status line and the ages
    } finally {
      this.asking = false;
    }
  }
}
