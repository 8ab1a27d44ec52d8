/** What an administrator should see first: what needs a person, how much there is, what healed itself, what is left. */
import { useQuery } from '@tanstack/react-query';

import { queries } from '../../live/cache';
import { AlertIcon, CheckIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { useTitle } from '../../ui/title';
import { CapacityCard } from './capacity';
import { HealedCard } from './healed';

export function OverviewPage() {
  useTitle('Overview');
  const query = useQuery(queries.overview);
  return (
    <>
      <h1>Overview</h1>
      <Loaded query={query} what="the overview">
        {(overview) => (
          <>
            <section aria-label="Warnings" className="warnings">
              {overview.warnings.length === 0 ? (
                <p className="warning" data-tone="good">
                  <CheckIcon /> Nothing needs you.
                </p>
              ) : (
                overview.warnings.map(({ level, text }) => (
                  <p key={text} className="warning" data-tone={level === 'error' ? 'bad' : 'warn'}>
                    <AlertIcon />
                    <span>
                      <strong>{level === 'error' ? 'Broken' : 'Weak'}:</strong> {text}
                    </span>
                  </p>
                ))
              )}
            </section>
            <div className="tiles">
              <Tile name="Servers running" value={overview.servers_running} of={overview.servers} />
              <Tile name="Nodes that answer" value={overview.nodes_online} of={overview.nodes} />
              <Tile name="Users" value={overview.users} />
            </div>
          </>
        )}
      </Loaded>
      <CapacityCard />
      <HealedCard />
    </>
  );
}

function Tile({ name, value, of }: { name: string; value: number; of?: number }) {
  return (
    <div className="tile">
      <span className="muted">{name}</span>
      <span>
        <strong>{value.toLocaleString('en-GB')}</strong>
        {of !== undefined && <span className="muted"> of {of.toLocaleString('en-GB')}</span>}
      </span>
    </div>
  );
}
