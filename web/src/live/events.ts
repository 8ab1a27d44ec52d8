/**
 * The live stream of changes (`/api/v1/events`): connects, stays connected, and is the page's quickest sign of whether
 * NodePanel is there. Hands events on; what they change is decided by the reader.
 *
 * ```text
 *   connecting ──hello──▶ open ──(end, error, or silence)──▶ connecting, at once the first time, then with back-off
 * ```
 *
 * NodePanel sends something every second, if only a comment. A beat that is late is no reason to give the stream up, but one to ask (`onLate`) whether NodePanel is there at all.
 *
 * Reads with `fetch`, not `EventSource`, because only so a 401 with `session-ended` can be told from a proxy's.
 */
import { delayMs } from '../api/backoff';
import { SILENCE_MS, type OutageWatch } from '../api/outage';
import { answerOf } from '../api/transport';
import type { ApiEvent } from '../api/types';
import { judge, type OutageCause } from '../api/verdict';
import { SseParser } from './sse';

/** The stream says something every second; after this long without a byte it is late. */
const BEAT_LATE_MS = 1_250;
/** After this long it is dead. */
const BEAT_GRACE_MS = 3_500;
const ATTEMPT_MS = 6_000;
/** After a stream broke, another API server answers at once if there is one: silence then says more, sooner. */
const SILENCE_AFTER_LOSS_MS = 700;
/** While NodePanel is known to be away, the probe asks; the stream tries only this often unless it is heard. */
const AWAY_MS = 15_000;
/** How long an attempt that began before the end of an outage may still take: its connection may be dead. */
const AFTER_BACK_MS = 250;

export interface EventStreamParts {
  outage: OutageWatch;
  onEvent: (event: ApiEvent) => void;
  onSessionEnded: () => void;
  /** The stream has been silent for longer than it should. */
  onLate: () => void;
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
    if (attempt > 0) await parts.outage.sleep(pauseMs(parts.outage, attempt), signal).catch(() => undefined);
  }
}

function pauseMs(outage: OutageWatch, attempt: number): number {
  const away = outage.state.get().is === 'out' && attempt > 1;
  return away ? AWAY_MS * (0.75 + Math.random() / 2) : delayMs(attempt, Math.random());
}

type End = 'was-open' | 'session-ended' | 'unwanted' | OutageCause;

async function connectOnce(
  { outage, onEvent, onSessionEnded, onLate }: EventStreamParts,
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
  let late: ReturnType<typeof setTimeout> | undefined;
  let heardAt = 0;
  const alive = (): void => {
    heardAt = Date.now();
    outage.signOfLife();
    clearTimeout(timer);
    clearTimeout(late);
    timer = setTimeout(() => abort.abort(), BEAT_GRACE_MS);
    late = setTimeout(onLate, BEAT_LATE_MS);
  };
  const stale = new AbortController();
  const forgetBack = outage.onBack(() => {
    if (Date.now() - heardAt < BEAT_LATE_MS) return;
    clearTimeout(timer);
    timer = setTimeout(() => stale.abort(), AFTER_BACK_MS);
  });
  try {
    const response = await fetch('/api/v1/events', {
      headers: { Accept: 'text/event-stream' },
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.any([signal, abort.signal, stale.signal]),
    });
    const contentType = response.headers.get('content-type');
    if (!response.ok || response.body === null || !contentType?.startsWith('text/event-stream')) {
      return await refusal(response, onSessionEnded);
    }
    clearTimeout(silence);
    open = true;
    alive();
    const parser = new SseParser({
      event: (_, data) => {
        const event = parseEvent(data);
        if (event !== null) onEvent(event);
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
    if (open || stale.signal.aborted) return 'was-open';
    if (abort.signal.aborted) return { kind: 'silent' };
    return { kind: navigator.onLine ? 'network' : 'offline' };
  } finally {
    clearTimeout(timer);
    clearTimeout(late);
    clearTimeout(silence);
    forgetBack();
  }
}

async function refusal(response: Response, onSessionEnded: () => void): Promise<End> {
  const verdict = judge(answerOf(response, await response.text()), Date.now());
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
