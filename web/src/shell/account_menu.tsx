/** The person's menu: account, theme, signing out. */
import { useNavigate } from '@tanstack/react-router';
import { Button, Menu, MenuItem, MenuTrigger, Popover, Separator } from 'react-aria-components';

import { session as sessionApi } from '../api/endpoints';
import { useCell } from '../api/cell';
import type { SessionView } from '../api/types';
import { forgetEverything } from '../live/cache';
import { forgetDrafts } from '../ui/draft';
import { UserIcon } from '../ui/icons';
import { notify } from '../ui/notices';
import { chooseTheme, theme, type Theme } from '../ui/theme';

const NEXT: Record<Theme, { theme: Theme; words: string }> = {
  system: { theme: 'light', words: 'Theme: as the system' },
  light: { theme: 'dark', words: 'Theme: light' },
  dark: { theme: 'system', words: 'Theme: dark' },
};

export function AccountMenu({ session }: { session: SessionView }) {
  const navigate = useNavigate();
  const chosen = useCell(theme);

  const signOut = (): void => {
    sessionApi.signOut().then(
      () => {
        forgetEverything();
        forgetDrafts();
        void navigate({ to: '/sign-in' });
      },
      (error: unknown) => notify.failed('You are still signed in.', error),
    );
  };

  return (
    <MenuTrigger>
      <Button className="button" data-look="quiet" aria-label={`Account: ${session.user.email}`}>
        <UserIcon />
        <span className="wide-only">{session.user.email}</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu">
          <MenuItem onAction={() => void navigate({ to: '/account' })}>Account and API keys</MenuItem>
          <MenuItem onAction={() => chooseTheme(NEXT[chosen].theme)}>{NEXT[chosen].words}</MenuItem>
          <MenuItem href="/api/docs" target="_blank">
            API documentation
          </MenuItem>
          <Separator />
          <MenuItem onAction={signOut}>Sign out</MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
