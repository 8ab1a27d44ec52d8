import { expect, it } from 'vitest';

import { SseParser } from './sse';

function read(pieces: string[]) {
  const seen: string[] = [];
  const parser = new SseParser({ event: (type, data) => seen.push(`${type}=${data}`) });
  for (const piece of pieces) parser.push(piece);
  return seen;
}

it('joins events that arrive in pieces', () => {
  expect(read(['event: sta', 'ts\nda', 'ta: {"a":', '1}\n', '\n'])).toEqual(['stats={"a":1}']);
});

it('tells comments from events', () => {
  expect(read([': beat\n\n', 'data: x\n\n:\n'])).toEqual(['message=x']);
});

it('joins several data lines and accepts every line end', () => {
  expect(read(['data: a\r\ndata: b\r\n\r\n', 'data:c\r\rdata: d\n\n'])).toEqual(['message=a\nb', 'message=c', 'message=d']);
});
