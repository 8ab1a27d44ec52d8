/** The panel's addresses. Pages that are not needed for the first view load when they are opened. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';

import { ServerPage } from './pages/server/page';
import { ServersPage } from './pages/servers/page';
import { SetupPage } from './pages/setup';
import { SignInPage } from './pages/sign_in';
import { NotFound } from './shell/not_found';
import { PageFailure } from './shell/page_failure';
import { Root } from './shell/root';
import { Shell } from './shell/shell';
import { Skeleton } from './ui/loaded';

const root = createRootRoute({ component: Root, notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  component: SignInPage,
  validateSearch: (search): { next?: string; why?: 'ended' } => ({
    ...(typeof search['next'] === 'string' && /^\/(?![/\\])/.test(search['next']) ? { next: search['next'] } : {}),
    ...(search['why'] === 'ended' ? { why: 'ended' as const } : {}),
  }),
});
const setup = createRoute({ getParentRoute: () => root, path: '/setup', component: SetupPage });

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    // The router's way to say it: a redirect is thrown.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw redirect({ to: '/servers', replace: true });
  },
});
const servers = createRoute({ getParentRoute: () => shell, path: '/servers', component: ServersPage });
const create = createRoute({
  getParentRoute: () => shell,
  path: '/servers/new',
  component: lazyRouteComponent(() => import('./pages/create/page'), 'CreatePage'),
});
const server = createRoute({ getParentRoute: () => shell, path: '/servers/$serverId', component: ServerPage });
const serverConsole = createRoute({
  getParentRoute: () => server,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/server/console_tab'), 'ConsoleTab'),
});
const serverGraphs = createRoute({
  getParentRoute: () => server,
  path: '/graphs',
  component: lazyRouteComponent(() => import('./pages/server/graphs_tab'), 'GraphsTab'),
});
const serverActivity = createRoute({
  getParentRoute: () => server,
  path: '/activity',
  component: lazyRouteComponent(() => import('./pages/server/activity_tab'), 'ActivityTab'),
});
const serverSettings = createRoute({
  getParentRoute: () => server,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/server/settings_tab'), 'SettingsTab'),
});
const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  component: lazyRouteComponent(() => import('./pages/account/page'), 'AccountPage'),
});

const admin = createRoute({
  getParentRoute: () => shell,
  path: '/admin',
  component: lazyRouteComponent(() => import('./pages/admin/layout'), 'AdminLayout'),
});
const overview = createRoute({
  getParentRoute: () => admin,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/admin/overview'), 'OverviewPage'),
});
const components = createRoute({
  getParentRoute: () => admin,
  path: '/components',
  component: lazyRouteComponent(() => import('./pages/admin/components'), 'ComponentsPage'),
});
const nodes = createRoute({
  getParentRoute: () => admin,
  path: '/nodes',
  component: lazyRouteComponent(() => import('./pages/admin/nodes'), 'NodesPage'),
});
const node = createRoute({
  getParentRoute: () => admin,
  path: '/nodes/$nodeId',
  component: lazyRouteComponent(() => import('./pages/admin/node'), 'NodePage'),
});
const users = createRoute({
  getParentRoute: () => admin,
  path: '/users',
  component: lazyRouteComponent(() => import('./pages/admin/users'), 'UsersPage'),
});
const templates = createRoute({
  getParentRoute: () => admin,
  path: '/templates',
  component: lazyRouteComponent(() => import('./pages/admin/templates'), 'TemplatesPage'),
});
const template = createRoute({
  getParentRoute: () => admin,
  path: '/templates/$templateId',
  component: lazyRouteComponent(() => import('./pages/admin/template'), 'TemplatePage'),
});

const routeTree = root.addChildren([
  signIn,
  setup,
  shell.addChildren([
    home,
    servers,
    create,
    server.addChildren([serverConsole, serverGraphs, serverActivity, serverSettings]),
    account,
    admin.addChildren([overview, components, nodes, node, users, templates, template]),
  ]),
]);

export const router = createRouter({
  routeTree,
  defaultPendingComponent: () => <Skeleton what="this page" />,
  defaultErrorComponent: PageFailure,
  defaultPreload: 'intent',
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
