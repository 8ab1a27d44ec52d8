/** Ctrl-K: servers, pages and actions by a few letters. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useMemo, useState } from 'react';
import { Autocomplete, Dialog, Input, Menu, MenuItem, Modal, ModalOverlay, SearchField, Text } from 'react-aria-components';

import * as api from '../api/endpoints';
import type { PowerAction, ServerView, SessionView } from '../api/types';
import { putServer, queries } from '../live/cache';
import { address } from '../ui/format';
import { notify } from '../ui/notices';
import { stateWord } from '../ui/state_chip';
import { chooseTheme } from '../ui/theme';

interface Item {
  id: string;
  name: string;
  detail: string;
  search: string;
  run: () => void;
}

const SHOWN = 40;

export function Palette({ session, onClose }: { session: SessionView; onClose: () => void }) {
  const [text, setText] = useState('');
  const servers = useQuery(queries.servers).data?.items;
  const pages = usePages(session);
  const navigate = useNavigate();

  const sought = useDeferredValue(text);

  const items = useMemo(() => {
    const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
    const found: Item[] = [];
    const take = (item: Item): void => {
      if (found.length < SHOWN && words.every((word) => item.search.includes(word))) found.push(item);
    };
    // Room for the pages is kept: with thousands of servers they would never be reached.
    const matchingPages = pages.filter((item) => words.every((word) => item.search.includes(word)));
    for (const server of servers ?? []) {
      if (found.length >= SHOWN - matchingPages.length) break;
      const [open, ...rest] = serverItems(server, (to) => void navigate({ to, params: { serverId: server.id } }));
      if (open !== undefined) take(open);
      if (words.length > 0) rest.forEach(take);
    }
    return [...found, ...matchingPages].slice(0, SHOWN);
  }, [sought, servers, pages, navigate]);

  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className="modal palette" data-wide>
        <Dialog className="dialog" aria-label="Find servers, pages and actions">
          <Autocomplete inputValue={text} onInputChange={setText}>
            <SearchField autoFocus aria-label="Find servers, pages and actions">
              <Input placeholder="A server, a page, or what to do: “restart lobby”" />
            </SearchField>
            <Menu
              className="menu"
              items={items}
              aria-label="Found"
              onAction={(key) => {
                onClose();
                items.find((item) => item.id === key)?.run();
              }}
              renderEmptyState={() => <p className="muted empty-line">Nothing fits “{text}”.</p>}
            >
              {(item) => (
                <MenuItem id={item.id} textValue={item.name}>
                  <Text slot="label">{item.name}</Text>
                  <Text slot="description">{item.detail}</Text>
                </MenuItem>
              )}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

type ServerTab = '/servers/$serverId' | '/servers/$serverId/graphs' | '/servers/$serverId/settings' | '/servers/$serverId/activity';

function serverItems(server: ServerView, go: (to: ServerTab) => void): Item[] {
  const detail = `${stateWord(server.state)}${server.endpoints[0] ? `, ${address(server.endpoints[0])}` : ''}`;
  const search = `${server.name} ${detail} ${server.template.name} ${server.node.name}`.toLowerCase();
  const open: Item = { id: `open ${server.id}`, name: server.name, detail, search: `${search} console open`, run: () => go('/servers/$serverId') };
  const tabs = (['graphs', 'activity', 'settings'] as const).map((tab): Item => ({
    id: `${tab} ${server.id}`,
    name: `${server.name}: ${tab}`,
    detail,
    search: `${search} ${tab}`,
    run: () => go(`/servers/$serverId/${tab}`),
  }));
  const powers = (['start', 'stop', 'restart'] as const)
    .filter((action) => server.actions[action].allowed && server.permissions.includes('server.power'))
    .map((action): Item => ({
      id: `${action} ${server.id}`,
      name: `${capital(action)} ${server.name}`,
      detail,
      search: `${action} ${search}`,
      run: () => power(server, action),
    }));
  return [open, ...powers, ...tabs];
}

function power(server: ServerView, action: PowerAction): void {
  api.servers.power(server.id, action).then(
    (view) => {
      putServer(view);
      notify.done(`${capital(action)} of ${server.name} was asked for.`);
    },
    (error: unknown) => notify.failed(`Could not ${action} ${server.name}.`, error),
  );
}

function usePages(session: SessionView): Item[] {
  const navigate = useNavigate();
  return useMemo(() => {
    const page = (name: string, to: string, detail = 'Page'): Item => ({
      id: `page ${to}`,
      name,
      detail,
      search: `${name} ${detail}`.toLowerCase(),
      run: () => void navigate({ to }),
    });
    const admin = session.permissions.includes('component.view');
    return [
      page('Servers', '/servers'),
      ...(session.permissions.includes('server.create') ? [page('Create a server', '/servers/new', 'Action')] : []),
      page('Account and API keys', '/account'),
      ...(admin
        ? [
            page('Overview', '/admin', 'Administration'),
            page('Components', '/admin/components', 'Administration'),
            page('Nodes', '/admin/nodes', 'Administration'),
            page('Users', '/admin/users', 'Administration'),
            page('Templates', '/admin/templates', 'Administration'),
          ]
        : []),
      ...(['light', 'dark', 'system'] as const).map((choice): Item => ({
        id: `theme ${choice}`,
        name: `Theme: ${choice === 'system' ? 'as the system' : choice}`,
        detail: 'Action',
        search: `theme ${choice} colours`,
        run: () => chooseTheme(choice),
      })),
    ];
  }, [session, navigate]);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
