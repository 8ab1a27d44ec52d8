/**
 * The live stream of changes (`/api/v1/events`): connects, stays connected, and is the page's quickest sign of whether
 * NodePanel is there. Hands events on; what they change is decided by the reader.
 *
 * ```text
 *   connecting ──hello──▶ open ──(end, error, or silence)──▶ connecting, at once the first time, then with back-off
 * ```
 *
 * Reads with `fetch`, not `EventSource`, because only so a 401 with `session-ended` can be told from a proxy's.
 */
import { delayMs } from '../api/backoff';
import type { OutageWatch } from '../api/outage';
import { SILENCE_MS } from '../api/transport';
import type { ApiEvent } from '../api/types';
import { judge, type OutageCause } from '../api/verdict';
import { SseParser } from './sse';

/** A stream that has beaten before is dead after this long without a beat. */
const BEAT_GRACE_MS = 3_500;
/** Any stream is asked for again after this long without a byte. */
const IDLE_MS = 40_000;
const ATTEMPT_MS = 6_000;
/** After a stream broke, another API server answers at once if there is one: silence then says more, sooner. */
const SILENCE_AFTER_LOSS_MS = 700;

export interface EventStreamParts {
  outage: OutageWatch;
  onEvent: (event: ApiEvent) => void;
  onSessionEnded: () => void;
}

/** Runs until `signal` aborts or the session ends. */
export async function runEventStream(parts: EventStreamParts, signal: AbortSignal): Promise<void> {
  let lost = false;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const result = await connectOnce(parts, lost ? SILENCE_AFTER_LOSS_MS : SILENCE_MS, signal);
    if (result === 'session-ended' || result === 'unwanted') return;
    lost = result === 'was-open';
    if (result === 'was-open') attempt = 0;
    else parts.outage.report(result);
    // The first try after a lost stream is immediate: usually another API server answers it.
    if (attempt > 0) await parts.outage.sleep(delayMs(attempt, Math.random()), signal).catch(() => undefined);
  }
}

type End = 'was-open' | 'session-ended' | 'unwanted' | OutageCause;

async function connectOnce(
  { outage, onEvent, onSessionEnded }: EventStreamParts,
  silenceMs: number,
  signal: AbortSignal,
): Promise<End> {
  const abort = new AbortController();
  const began = Date.now();
  let timer = setTimeout(() => abort.abort(), ATTEMPT_MS);
  const silence = setTimeout(() => {
    if (outage.lastSign < began) outage.report({ kind: 'silent' });
  }, silenceMs);
  let open = false;
  let beats = false;
  const alive = (): void => {
    outage.signOfLife();
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), beats ? BEAT_GRACE_MS : IDLE_MS);
  };
  try {
    const response = await fetch('/api/v1/events', {
      headers: { Accept: 'text/event-stream' },
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.any([signal, abort.signal]),
    });
    const contentType = response.headers.get('content-type');
    if (!response.ok || response.body === null || !contentType?.startsWith('text/event-stream')) {
      return await refusal(response, contentType, onSessionEnded);
    }
    clearTimeout(silence);
    open = true;
    alive();
    const parser = new SseParser({
      event: (_, data) => {
        const event = parseEvent(data);
        if (event !== null) onEvent(event);
      },
      comment: () => {
        beats = true;
      },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'was-open';
      parser.push(value);
      alive();
    }
  } catch {
    if (signal.aborted) return 'unwanted';
    // A stream that fell silent is opened again; only when that is not answered either is it an outage.
    if (open) return 'was-open';
    if (abort.signal.aborted) return { kind: 'silent' };
    return { kind: navigator.onLine ? 'network' : 'offline' };
  } finally {
    clearTimeout(timer);
    clearTimeout(silence);
  }
}

async function refusal(response: Response, contentType: string | null, onSessionEnded: () => void): Promise<End> {
  const redirect = response.type === 'opaqueredirect';
  const verdict = judge({ status: response.status, contentType, body: await response.text(), redirect });
  if (verdict.is === 'session-ended') {
    onSessionEnded();
    return 'session-ended';
  }
  if (verdict.is === 'later') return verdict.cause;
  if (verdict.is === 'answer' && verdict.problem !== null) return { kind: 'problem', problem: verdict.problem };
  return { kind: 'foreign', status: response.status };
}

function parseEvent(data: string): ApiEvent | null {
  try {
    return JSON.parse(data) as ApiEvent;
  } catch {
    return null;
  }
}
