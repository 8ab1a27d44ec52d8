/**
 * Which of two views of one server is the older one. They come from different API servers, by events and in answers, so the
 * order in which they arrive says nothing. Pure.
 */
import type { ServerView } from '../api/types';

export function isOlder(candidate: ServerView, known: ServerView): boolean {
  if (candidate.generation !== known.generation) return candidate.generation < known.generation;
  // The node says since when a state is so. An API server may have heard of the node a moment ago and still not know of
  // the change that another one has told already: then what was heard last is not what is newest.
  const [mine, theirs] = [toldByNode(candidate), toldByNode(known)];
  if (mine !== null && theirs !== null && mine !== theirs) return mine < theirs;
  return candidate.as_of !== null && known.as_of !== null && candidate.as_of < known.as_of;
}

/** Since when, in milliseconds, if the node said so and not the API server, which noticed that the node is silent. */
function toldByNode({ state, since, as_of }: ServerView): number | null {
  return state === 'unreachable' || since === null || as_of === null ? null : Date.parse(since);
}
