/** Around every page, signed in or not: the banner of outages and the notices. */
import { Outlet } from '@tanstack/react-router';

import { Notices } from '../ui/notices';
import { Banner } from './banner';

export function Root() {
  return (
    <>
      <Banner />
      <Outlet />
      <Notices />
    </>
  );
}
