/** Administration: its pages at the side. */
import '../../styles/admin.css';

import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { useMay } from '../../shell/session';

const PAGES = [
  { to: '/admin', word: 'Overview' },
  { to: '/admin/components', word: 'Components' },
  { to: '/admin/nodes', word: 'Nodes' },
  { to: '/servers', word: 'Servers' },
  { to: '/admin/users', word: 'Users' },
  { to: '/admin/templates', word: 'Templates' },
] as const;

export function AdminLayout() {
  const here = useLocation({ select: (location) => location.pathname });
  const side = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the pages are one line that scrolls: the present one must be in it.
    side.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [here]);
  if (!useMay('component.view')) {
    return (
      <div className="page narrow">
        <h1>Administration</h1>
        <p>This part is for administrators. Ask one of them to give you the role if you need it.</p>
      </div>
    );
  }
  return (
    <div className="page admin">
      <nav ref={side} className="side" aria-label="Administration">
        {PAGES.map(({ to, word }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === '/admin' }}>
            {word}
          </Link>
        ))}
        <a href="/api/docs">API documentation</a>
      </nav>
      <div className="admin-page">
        <Outlet />
      </div>
    </div>
  );
}
