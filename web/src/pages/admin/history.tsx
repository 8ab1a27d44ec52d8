/** What NodePanel did to its own processes by itself: what had happened, what was done, how long it took and what was lost. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { AutomaticAction } from '../../api/types';
import { queries } from '../../live/cache';
import { Chip, type Mark } from '../../ui/chip';
import { count, millis } from '../../ui/format';
import { AlertIcon, ClockIcon, DrillIcon, PlayIcon, UnknownIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';
import { When } from '../../ui/when';

/** A drill breaks things on purpose: it must not look like trouble. */
const OCCASIONS: Record<NonNullable<AutomaticAction['occasion']>, Mark> = {
  fault: { word: 'Fault', tone: 'warn', icon: AlertIcon },
  drill: { word: 'Drill', tone: 'busy', icon: DrillIcon },
  planned: { word: 'Planned', tone: 'idle', icon: ClockIcon },
  boot: { word: 'Boot', tone: 'idle', icon: PlayIcon },
};
/** It came back from nothing, such as a build that was refused, or the entry is older than this column. */
const OTHER: Mark = { word: 'Other', tone: 'idle', icon: UnknownIcon };

const SHOWN = [
  { show: 'all', word: 'Everything', fits: () => true },
  { show: 'fault', word: 'Faults', fits: ({ occasion }: AutomaticAction) => occasion === 'fault' },
  { show: 'drill', word: 'Drills', fits: ({ occasion }: AutomaticAction) => occasion === 'drill' },
  { show: 'planned', word: 'Planned', fits: ({ occasion }: AutomaticAction) => occasion === 'planned' },
] as const;

/** What is drawn at a time: nobody reads more, and a phone shows each entry as a block. */
const STEP = 10;

export function HistorySection() {
  const query = useQuery(queries.history);
  return (
    <>
      <h2 id="history">What NodePanel did by itself</h2>
      <Loaded query={query} what="what NodePanel did by itself" rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="muted">Nothing yet: no process of NodePanel had to be started again. When one is, it is written here, with what it cost.</p>
          ) : (
            <History entries={items} />
          )
        }
      </Loaded>
    </>
  );
}

function History({ entries }: { entries: readonly AutomaticAction[] }) {
  const [show, setShow] = useState<(typeof SHOWN)[number]['show']>('all');
  const fitting = entries.filter(SHOWN.find((each) => each.show === show)?.fits ?? (() => true));
  return (
    <>
      <div className="toolbar" role="group" aria-label="What is shown">
        {SHOWN.map((each) => (
          <button key={each.show} type="button" className="button" aria-pressed={show === each.show} onClick={() => setShow(each.show)}>
            {each.word} <span className="muted">{entries.filter(each.fits).length.toLocaleString('en-GB')}</span>
          </button>
        ))}
      </div>
      {fitting.length === 0 ? (
        <p className="muted">There is nothing of this kind.</p>
      ) : (
        <LongList items={fitting} one="entry" many="entries" step={STEP} text={({ component, why, what, host }) => `${component} ${why} ${what} ${host}`}>
          {(shown) => <Entries entries={shown} hosts={new Set(entries.map(({ host }) => host)).size} />}
        </LongList>
      )}
    </>
  );
}

/** `hosts` is how many there are: with one, its name says nothing. */
function Entries({ entries, hosts }: { entries: readonly AutomaticAction[]; hosts: number }) {
  const now = useNow();
  return (
    <TableBox label="What NodePanel did by itself" stacks>
      <thead>
        <tr>
          <th>When</th>
          <th>Occasion</th>
          <th>What happened, and what was done</th>
          <th>What was lost</th>
          <th className="number">Back within</th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => {
          return (
            <tr key={`${entry.host} ${entry.at} ${entry.component} ${entry.what}`}>
              <td className="when">
                <When at={entry.at} now={now} />
              </td>
              <td>
                <Chip mark={entry.occasion === null ? OTHER : OCCASIONS[entry.occasion]} />
              </td>
              <td>
                <strong>{entry.component}</strong>
                {hosts > 1 && <span className="muted"> on {entry.host}</span>} {entry.why}: {entry.what}
                {entry.tries > 1 && `, after ${count(entry.tries, 'try', 'tries')}`}.
                <div className="muted small">Seen by the {entry.observed_by}.</div>
              </td>
              <td data-label="Lost">{entry.lost ?? <span className="muted">Not recorded.</span>}</td>
              <td className="number" data-label="Back within">
                {entry.took_ms === null ? <span className="muted">not seen</span> : millis(entry.took_ms)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </TableBox>
  );
}
