/** What the marks on the graphs mean, and the same in words for those who have no pointer. */
import { Link } from '@tanstack/react-router';

import type { ActivityEntry } from '../../api/types';
import { MARK_LOOKS, MARK_PATHS } from '../../graphs/draw_marks';
import { MARK_KINDS, type MarkKind } from '../../graphs/marks';
import { clock, count } from '../../ui/format';

const WORDS: Record<MarkKind, string> = {
  crash: 'Crash',
  restart: 'Restart by itself',
  recovery: 'Recovery',
  install: 'Installation',
  power: 'Start or stop',
  remove: 'Removal',
};

/** The newest entries that are shown without going to the activity. */
const SHOWN = 8;

interface MarksCardProps {
  server: string;
  /** Newest first, only those of the time that the graphs show. */
  entries: readonly ActivityEntry[];
  now: number;
}

export function MarksCard({ server, entries, now }: MarksCardProps) {
  const kinds = MARK_KINDS.filter((kind) => entries.some((entry) => entry.kind === kind));
  return (
    <section className="card marks" aria-label="What happened in this time">
      <div className="chart-head">
        <h2>What happened</h2>
        <ul className="mark-legend">
          {kinds.map((kind) => (
            <li key={kind}>
              <MarkShape kind={kind} /> {WORDS[kind]} <span className="muted">{entries.filter((entry) => entry.kind === kind).length}</span>
            </li>
          ))}
        </ul>
      </div>
      {entries.length === 0 ? (
        <p className="muted">No start, stop, crash or restart in this time.</p>
      ) : (
        <ol className="mark-list">
          {entries.slice(0, SHOWN).map((entry) => (
            <li key={`${entry.n} ${entry.at}`}>
              <MarkShape kind={entry.kind} />
              <time className="muted" dateTime={entry.at}>
                {clock(entry.at, now)}
              </time>
              <span>
                <span className="visually-hidden">{WORDS[entry.kind]}: </span>
                {entry.text}
              </span>
            </li>
          ))}
        </ol>
      )}
      {entries.length > SHOWN && (
        <p>
          <Link to="/servers/$serverId/activity" params={{ serverId: server }}>
            {count(entries.length - SHOWN, 'more entry', 'more entries')} in the activity
          </Link>
        </p>
      )}
    </section>
  );
}

function MarkShape({ kind }: { kind: MarkKind }) {
  const { shape, colour } = MARK_LOOKS[kind];
  return (
    <svg className="mark-shape" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
      <path d={MARK_PATHS[shape]} fill={`var(${colour})`} />
    </svg>
  );
}
