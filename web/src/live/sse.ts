/** Reads `text/event-stream` bytes. Comments are the stream's heartbeat and say nothing. Pure. */

export interface SseSink {
  event: (type: string, data: string) => void;
}

/** Feeds pieces of text as they arrive; a line may be cut anywhere. */
export class SseParser {
  readonly #sink: SseSink;
  #rest = '';
  #type = '';
  #data: string[] = [];

  constructor(sink: SseSink) {
    this.#sink = sink;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data.length > 0) this.#sink.event(this.#type || 'message', this.#data.join('\n'));
      this.#type = '';
      this.#data = [];
    } else if (!line.startsWith(':')) {
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') this.#type = value;
      else if (field === 'data') this.#data.push(value);
    }
  }
}
