/** NodePanel's own processes, and when each was last seen to recover. */
import { useQuery } from '@tanstack/react-query';

import type { Component } from '../../api/types';
import { queries } from '../../live/cache';
import { Chip, type Mark } from '../../ui/chip';
import { ago, clock, millis } from '../../ui/format';
import { AlertIcon, BusyIcon, RunningIcon, StoppedIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';
import { useTitle } from '../../ui/title';
import { HistorySection } from './history';
import { RenewalWords } from './renewal';
import { SupervisionSection } from './supervision';

const STATES: Record<Component['state'], Mark> = {
  starting: { word: 'Starting', tone: 'busy', icon: BusyIcon },
  ready: { word: 'Ready', tone: 'good', icon: RunningIcon },
  degraded: { word: 'Degraded', tone: 'warn', icon: AlertIcon },
  draining: { word: 'Finishing', tone: 'busy', icon: BusyIcon },
  backing_off: { word: 'Waits for restart', tone: 'bad', icon: AlertIcon },
  stopped: { word: 'Stopped', tone: 'idle', icon: StoppedIcon },
};

export function ComponentsPage() {
  useTitle('Components');
  const query = useQuery(queries.components);
  const now = useNow();
  return (
    <>
      <h1>Components</h1>
      <p className="muted">
        The processes of NodePanel on this machine. Any of them may die at any moment: it is replaced, and game servers go
        on. The keeper of a game server (shim) is the exception: its game is restarted with it.
      </p>
      <Loaded query={query} what="the components" rows={5}>
        {(view) => (
          <>
            {view.stale_reason !== null && (
              <p className="age">
                As of {clock(view.as_of, now)}, {ago(view.as_of, now)}: {view.stale_reason}
              </p>
            )}
            <ComponentTable label="Components" components={view.components.filter(({ role }) => role !== 'shim')} />
            <SupervisionSection components={view.components.filter(({ role }) => role !== 'shim')} />
            {view.renewal != null && <RenewalWords renewal={view.renewal} />}
            <HistorySection />
            <Keepers components={view.components.filter(({ role }) => role === 'shim')} />
          </>
        )}
      </Loaded>
    </>
  );
}

/** One keeper for every running game: there may be hundreds. */
function Keepers({ components }: { components: readonly Component[] }) {
  return (
    <>
      <h2>Keepers of game servers</h2>
      {components.length === 0 ? (
        <p className="muted">No game server runs on this machine.</p>
      ) : (
        <LongList items={components} one="keeper" text={({ name, detail }) => `${name} ${detail ?? ''}`}>
          {(shown) => <ComponentTable label="Keepers of game servers" components={shown} />}
        </LongList>
      )}
    </>
  );
}

function ComponentTable({ label, components }: { label: string; components: readonly Component[] }) {
  const now = useNow();
  return (
    <TableBox label={label} stacks>
      <thead>
        <tr>
          <th>Name</th>
          <th>State</th>
          <th className="number">Process</th>
          <th className="number">Started</th>
          <th className="number">Restarts</th>
          <th className="number">Last recovery took</th>
          <th>Last end</th>
        </tr>
      </thead>
      <tbody>
        {components.map((component) => {
          return (
            <tr key={component.name}>
              <td>
                <strong>{component.name}</strong>
                {component.detail !== null && <p className="muted small">{component.detail}</p>}
              </td>
              <td>
                <Chip mark={STATES[component.state]} />
              </td>
              <td className="number" data-label="Process">{component.pid ?? '–'}</td>
              <td className="number" data-label="Started">{component.started_at === null ? '–' : ago(component.started_at, now)}</td>
              <td className="number" data-label="Restarts">{component.restarts}</td>
              <td className="number" data-label="Last recovery">{component.last_recovery_ms === null ? 'never seen' : millis(component.last_recovery_ms)}</td>
              <td data-label="Last end">{component.last_exit ?? '–'}</td>
            </tr>
          );
        })}
      </tbody>
    </TableBox>
  );
}
