/** Administration: its pages at the side. */
import '../../styles/admin.css';

import { Link, Outlet } from '@tanstack/react-router';

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
      <nav className="side" aria-label="Administration">
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
