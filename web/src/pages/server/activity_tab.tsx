/** What happened to a server: what people asked for, and what NodePanel did by itself and why. */
import { useQuery } from '@tanstack/react-query';

import type { ActivityEntry } from '../../api/types';
import { queries } from '../../live/cache';
import { ago, clock, millis } from '../../ui/format';
import { AlertIcon, BusyIcon, CheckIcon, PlayIcon, RestartIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';
import { useServer } from './page';

const KINDS: Record<ActivityEntry['kind'], { word: string; icon: () => React.ReactElement; tone: string }> = {
  install: { word: 'Installation', icon: BusyIcon, tone: 'busy' },
  power: { word: 'Power', icon: PlayIcon, tone: 'idle' },
  crash: { word: 'Crash', icon: AlertIcon, tone: 'bad' },
  restart: { word: 'Restart', icon: RestartIcon, tone: 'warn' },
  recovery: { word: 'Recovery', icon: CheckIcon, tone: 'good' },
  remove: { word: 'Removal', icon: AlertIcon, tone: 'idle' },
};

export function ActivityTab() {
  const server = useServer();
  const query = useQuery(queries.activity(server.id));
  const now = useNow();
  return (
    <Loaded query={query} what="the activity" rows={6}>
      {({ items }) =>
        items.length === 0 ? (
          <div className="empty">
            <p>Nothing has happened to this server yet. Starts, stops, crashes and what NodePanel does about them appear here.</p>
          </div>
        ) : (
          <LongList items={items} one="entry" many="entries" text={(entry) => `${KINDS[entry.kind].word} ${entry.text}`}>
            {(shown) => (
              <TableBox label="Activity">
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
                    const { word, icon: Icon, tone } = KINDS[entry.kind];
                    return (
                      <tr key={`${entry.n} ${entry.at}`}>
                        <td>
                          <time dateTime={entry.at}>{clock(entry.at, now)}</time>
                          <div className="muted small">{ago(entry.at, now)}</div>
                        </td>
                        <td>
                          <span className="chip" data-tone={tone}>
                            <Icon /> {word}
                          </span>
                        </td>
                        <td>
                          {entry.text}
                          {entry.automatic && <div className="muted small">NodePanel did this by itself.</div>}
                        </td>
                        <td className="number">{millis(entry.took_ms)}</td>
                      </tr>
                    );
                  })}
                </tbody>
              </TableBox>
            )}
          </LongList>
        )
      }
    </Loaded>
  );
}
