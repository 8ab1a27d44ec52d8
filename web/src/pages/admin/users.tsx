/** The people who can sign in. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { UserView } from '../../api/types';
import { queries } from '../../live/cache';
import { useSession } from '../../shell/session';
import { Button } from '../../ui/button';
import { day } from '../../ui/format';
import { PlusIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { TableBox } from '../../ui/table_box';
import { useTitle } from '../../ui/title';
import { AddUser, EditUser, RemoveUser } from './user_dialogs';

export function UsersPage() {
  useTitle('Users');
  const me = useSession().user.id;
  const query = useQuery(queries.users);
  const [asking, setAsking] = useState<{ what: 'add' } | { what: 'edit' | 'remove'; user: UserView } | null>(null);
  const close = (): void => setAsking(null);
  return (
    <>
      <div className="page-head">
        <h1>Users</h1>
        <Button look="primary" icon={<PlusIcon />} onClick={() => setAsking({ what: 'add' })}>
          Add a user
        </Button>
      </div>
      <Loaded query={query} what="the users">
        {({ items }) => (
          <LongList items={items} one="user" text={(user) => `${user.email} ${user.role}`}>
            {(shown) => (
              <TableBox label="Users">
                <thead>
                  <tr>
                    <th>E-mail</th>
                    <th>Role</th>
                    <th className="number">Servers</th>
                    <th>Since</th>
                    <th>
                      <span className="visually-hidden">Change</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((user) => (
                    <tr key={user.id}>
                      <td>
                        {user.email}
                        {user.id === me && <span className="muted"> (you)</span>}
                      </td>
                      <td>{user.role === 'administrator' ? 'Administrator' : 'User'}</td>
                      <td className="number">{user.servers}</td>
                      <td>{day(user.created_at)}</td>
                      <td className="row-buttons">
                        <Button look="quiet" aria-label={`Change ${user.email}`} onClick={() => setAsking({ what: 'edit', user })}>
                          Change
                        </Button>
                        <Button look="quiet" aria-label={`Remove ${user.email}`} disabledReason={user.id === me ? 'You cannot remove yourself.' : null} onClick={() => setAsking({ what: 'remove', user })}>
                          Remove
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </TableBox>
            )}
          </LongList>
        )}
      </Loaded>
      {asking?.what === 'add' && <AddUser onClose={close} />}
      {asking?.what === 'edit' && <EditUser user={asking.user} onClose={close} />}
      {asking?.what === 'remove' && <RemoveUser user={asking.user} onClose={close} />}
    </>
  );
}
