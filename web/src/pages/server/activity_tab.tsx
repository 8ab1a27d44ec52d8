/** What happened to a server: what people asked for, and what NodePanel did by itself and why. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { ActivityEntry } from '../../api/types';
import { queries } from '../../live/cache';
import { Chip, type Mark } from '../../ui/chip';
import { millis, withLocalTimes } from '../../ui/format';
import { AlertIcon, BusyIcon, CheckIcon, PlayIcon, RestartIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';
import { When } from '../../ui/when';
import { useServer } from './page';
import { RestartsCard } from './restarts_card';

const KINDS: Record<ActivityEntry['kind'], Mark> = {
  install: { word: 'Installation', icon: BusyIcon, tone: 'busy' },
  power: { word: 'Power', icon: PlayIcon, tone: 'idle' },
  crash: { word: 'Crash', icon: AlertIcon, tone: 'bad' },
  restart: { word: 'Restart', icon: RestartIcon, tone: 'warn' },
  recovery: { word: 'Recovery', icon: CheckIcon, tone: 'good' },
  remove: { word: 'Removal', icon: AlertIcon, tone: 'idle' },
};

const SHOWN = [
  { show: 'all', word: 'Everything', fits: () => true },
  { show: 'automatic', word: 'By itself', fits: (entry: ActivityEntry) => entry.automatic },
  { show: 'asked', word: 'Asked for', fits: (entry: ActivityEntry) => !entry.automatic },
] as const;

export function ActivityTab() {
  const server = useServer();
  const query = useQuery(queries.activity(server.id));
  const now = useNow();
  const [show, setShow] = useState<(typeof SHOWN)[number]['show']>('all');
  const fits = SHOWN.find((each) => each.show === show)?.fits ?? (() => true);
  return (
    <Loaded query={query} what="the activity" rows={6}>
      {({ items }) =>
        items.length === 0 ? (
          <div className="empty">
            <p>Nothing has happened to this server yet. Starts, stops, crashes and what NodePanel does about them appear here.</p>
          </div>
        ) : (
          <>
            <RestartsCard server={server} entries={items} now={now} />
            <div className="toolbar" role="group" aria-label="What is shown">
              {SHOWN.map((each) => (
                <button key={each.show} type="button" className="button" aria-pressed={show === each.show} onClick={() => setShow(each.show)}>
                  {each.word} <span className="muted">{items.filter(each.fits).length}</span>
                </button>
              ))}
            </div>
            <Entries entries={items.filter(fits)} now={now} />
          </>
        )
      }
    </Loaded>
  );
}

function Entries({ entries, now }: { entries: readonly ActivityEntry[]; now: number }) {
  if (entries.length === 0) return <p className="muted">There is nothing of this kind.</p>;
  return (
    <LongList items={entries} one="entry" many="entries" text={(entry) => `${KINDS[entry.kind].word} ${entry.text}`}>
      {(shown) => (
        <TableBox label="Activity" stacks>
          <thead>
            <tr>
              <th>When</th>
              <th>What</th>
              <th>What happened and why</th>
              <th className="number">Took</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((entry) => {
              return (
                <tr key={`${entry.n} ${entry.at}`}>
                  <td>
                    <When at={entry.at} now={now} />
                  </td>
                  <td>
                    <Chip mark={KINDS[entry.kind]} />
                    {entry.automatic && <div className="muted small">by itself</div>}
                  </td>
                  <td>{withLocalTimes(entry.text, now)}</td>
                  <td className="number" data-label="Took">
                    {millis(entry.took_ms)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </TableBox>
      )}
    </LongList>
  );
}
