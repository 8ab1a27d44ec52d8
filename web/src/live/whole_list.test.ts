import { expect, it } from 'vitest';

import type { Page } from '../api/types';
import { Meanwhile, wholeList } from './whole_list';

interface Thing {
  id: string;
  age: number;
}

const thing = (n: number, age = 1): Thing => ({ id: String(n), age });
const isOlder = (a: Thing, b: Thing): boolean => a.age < b.age;

function parts(all: readonly Thing[], size: number) {
  return (after: string | null): Promise<Page<Thing>> => {
    const start = after === null ? 0 : Number(after);
    const end = start + size;
    return Promise.resolve({ items: all.slice(start, end), total: all.length, next: end < all.length ? String(end) : null });
  };
}

it('goes on to the end and tells what is there so far', async () => {
  const all = Array.from({ length: 7 }, (_, n) => thing(n));
  const heard: [number, number][] = [];
  const list = await wholeList(parts(all, 3), ({ items, total }) => heard.push([items.length, total]));
  expect(list).toEqual({ items: all, total: 7 });
  expect(heard).toEqual([[3, 7], [6, 7]]);
});

it('takes over what happened while it was fetched', () => {
  const meanwhile = new Meanwhile<Thing>();
  meanwhile.put(thing(1, 5));
  meanwhile.put(thing(2, 0));
  meanwhile.put(thing(9, 1));
  meanwhile.remove('3');
  const list = meanwhile.applyTo({ items: [thing(1), thing(2), thing(3), thing(4)], total: 4 }, isOlder);
  expect(list).toEqual({ items: [thing(1, 5), thing(2, 1), thing(4), thing(9)], total: 4 });
});

it('forgets neither a thing that came back nor one that went again', () => {
  const meanwhile = new Meanwhile<Thing>();
  meanwhile.remove('1');
  meanwhile.put(thing(1, 2));
  meanwhile.put(thing(2, 2));
  meanwhile.remove('2');
  expect(meanwhile.applyTo({ items: [thing(1), thing(2)], total: 2 }, isOlder)).toEqual({ items: [thing(1, 2)], total: 1 });
});
