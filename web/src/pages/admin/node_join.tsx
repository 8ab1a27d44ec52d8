/** How a machine becomes a node: a one-time token and the command that uses it. */
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { JoinToken, NodeView } from '../../api/types';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Copy } from '../../ui/copy';
import { Failure } from '../../ui/failure';
import { clock } from '../../ui/format';
import { useNow } from '../../ui/now';

export function JoinCard({ node }: { node: NodeView }) {
  const [token, setToken] = useState<JoinToken | null>(null);
  const act = useAct((_: null, options) => api.nodes.joinToken(node.id, options), { onDone: setToken });
  const now = useNow();
  const joined = node.presence.state !== 'pending';
  return (
    <section className="card">
      <h2>Join a machine</h2>
      <p className="muted">
        {joined
          ? 'This node has a machine. A new token is for a machine that takes its place, for example after a new installation.'
          : 'Make a token, then run the command on the machine that shall run game servers. It only needs to reach this NodePanel; nothing has to reach it.'}
      </p>
      {token !== null && (
        <p>
          <Copy text={`nodepanel agent join ${token.token}`} what="command" />
          <br />
          <span className="muted small">Works once, until {clock(token.expires_at, now)}. It is shown only here.</span>
        </p>
      )}
      <Failure error={act.error} what="No token was made." />
      <div className="form-buttons">
        <Button look={joined ? 'plain' : 'primary'} progress={act.progress} onClick={() => act.run(null)}>
          {token === null ? 'Make a join token' : 'Make another one'}
        </Button>
      </div>
    </section>
  );
}
