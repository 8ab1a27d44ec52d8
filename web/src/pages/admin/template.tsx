/** A template's TOML: read, changed into a new version, checked by the API, deleted. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { TemplateView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { useDraft } from '../../ui/draft';
import { Failure } from '../../ui/failure';
import { count } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { notify } from '../../ui/notices';
import { useTitle } from '../../ui/title';
import { SourceEditor } from './source_editor';
import { NEW } from './templates';

const route = getRouteApi('/shell/admin/templates/$templateId');

const EXAMPLE = `# What a template may say is in the operator's book, under "Templates".
slug = "my-game"
name = "My game"
description = "What it is, in a sentence or two."
`;

export function TemplatePage() {
  const { templateId } = route.useParams();
  if (templateId === NEW) return <Editor key={NEW} template={null} />;
  return <Existing key={templateId} id={templateId} />;
}

function Existing({ id }: { id: string }) {
  const query = useQuery(queries.template(id));
  return (
    <Loaded query={query} what="the template" rows={8}>
      {(template) => <Editor template={template} />}
    </Loaded>
  );
}

function Editor({ template }: { template: TemplateView | null }) {
  useTitle(template?.name ?? 'New template');
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const saved = template?.source ?? EXAMPLE;
  const [draft, change, clear] = useDraft<{ source: string | null }>(`template.${template?.id ?? NEW}`, { source: null });
  const source = draft.source ?? saved;
  const act = useAct((input: string, options) => (template === null ? api.templates.create(input, options) : api.templates.replace(template.id, input, options)), {
    onDone: (view, sent) => {
      clear({ source: sent });
      queryClient.setQueryData(queries.template(view.id).queryKey, view);
      void queryClient.invalidateQueries({ queryKey: queries.templates.queryKey });
      notify.done(`${view.name}: version ${view.version} is saved. Servers use it when they are told to, in their settings.`);
      if (template === null) void navigate({ to: '/admin/templates/$templateId', params: { templateId: view.id }, replace: true });
    },
  });

  return (
    <>
      <div className="page-head">
        <h1>{template?.name ?? 'New template'}</h1>
        {template !== null && (
          <Button look="danger" disabledReason={template.servers > 0 ? `${count(template.servers, 'server')} use it. Delete them first.` : null} onClick={() => setDeleting(true)}>
            Delete…
          </Button>
        )}
      </div>
      {template !== null && (
        <p className="muted">
          Version {template.version}, used by {count(template.servers, 'server')}
          {template.builtin && ', as it came with NodePanel'}. Saving makes a new version; servers keep theirs until they are
          told to take the new one.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act.run(source);
        }}
        className="form full"
      >
        <SourceEditor label="TOML" source={source} error={act.error} onChange={(next) => change({ source: next === saved ? null : next })} />
        <Failure error={act.error} what="Nothing was saved." shown={['source']} />
        <div className="form-buttons">
          <Button type="submit" look="primary" progress={act.progress} disabledReason={template !== null && source === saved ? 'Nothing is changed.' : null}>
            {template === null ? 'Save' : `Save as version ${template.version + 1}`}
          </Button>
          {draft.source !== null && (
            <Button look="quiet" onClick={() => clear()}>
              Discard changes
            </Button>
          )}
        </div>
      </form>
      {deleting && template !== null && <Delete template={template} onClose={() => setDeleting(false)} />}
    </>
  );
}

function Delete({ template, onClose }: { template: TemplateView; onClose: () => void }) {
  const navigate = useNavigate();
  const act = useAct((_: null, options) => api.templates.remove(template.id, options), {
    onDone: () => {
      void queryClient.invalidateQueries({ queryKey: queries.templates.queryKey });
      notify.done(`${template.name} is deleted.`);
      void navigate({ to: '/admin/templates' });
    },
  });
  return (
    <Dialog title={`Delete ${template.name}?`} onClose={onClose}>
      <p>All its versions are deleted. Copy the TOML first if you may want it again.</p>
      <Failure error={act.error} what="The template was not deleted." />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" progress={act.progress} onClick={() => act.run(null)}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
