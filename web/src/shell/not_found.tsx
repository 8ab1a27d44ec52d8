/** An address that leads nowhere. */
import { Link } from '@tanstack/react-router';

export function NotFound() {
  return (
    <main className="page narrow">
      <h1>There is no such page</h1>
      <p>The address may be mistyped, or the page may be gone.</p>
      <p>
        <Link to="/servers">Go to the servers</Link>
      </p>
    </main>
  );
}
