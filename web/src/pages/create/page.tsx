/**
 * Creating a server in three steps: the game, where and how much, its name and variables. Every step has defaults, and
 * what is half filled survives a reload. Afterwards the page shows the installation.
 */
import '../../styles/create.css';

import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import * as api from '../../api/endpoints';
import { ProblemError, fieldErrors } from '../../api/problem';
import type { CreateServer, TemplateView } from '../../api/types';
import { putServer, queries } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { useDraft } from '../../ui/draft';
import { Failure } from '../../ui/failure';
import { Loaded, Skeleton } from '../../ui/loaded';
import { useTitle } from '../../ui/title';
import { EMPTY, body, stepOfField, type Draft } from './draft';
import { GameStep } from './game_step';
import { NameStep } from './name_step';
import { PlaceStep } from './place_step';

const STEPS = ['Game', 'Place and resources', 'Name and options'] as const;

export function CreatePage() {
  useTitle('Create a server');
  const navigate = useNavigate();
  const templates = useQuery(queries.templates);
  const [draft, change, clear] = useDraft<Draft>('create', EMPTY);
  const template = useQuery({ ...queries.template(draft.template ?? ''), enabled: draft.template !== null });
  const act = useAct((input: CreateServer, options) => api.servers.create(input, options), {
    onDone: (server) => {
      putServer(server);
      clear();
      void navigate({ to: '/servers/$serverId', params: { serverId: server.id }, replace: true });
    },
    onError: (error) => {
      // The first wrong field decides which step is shown.
      const field = error instanceof ProblemError ? fieldErrors(error.problem)[0]?.field : undefined;
      if (field !== undefined) change({ step: stepOfField(field) });
    },
  });

  return (
    <div className="page create">
      <h1>Create a server</h1>
      <ol className="steps">
        {STEPS.map((word, step) => (
          <li key={word} aria-current={draft.step === step ? 'step' : undefined}>
            {step < draft.step ? (
              <button type="button" onClick={() => change({ step })}>
                {step + 1}. {word}
              </button>
            ) : (
              <span>
                {step + 1}. {word}
              </span>
            )}
          </li>
        ))}
      </ol>
      {draft.step === 0 || draft.template === null ? (
        <Loaded query={templates} what="the games" rows={4}>
          {(page) => (
            <GameStep
              templates={page.items}
              chosen={draft.template}
              onChoose={(chosen) => change(chosen === draft.template ? { step: 1 } : { ...EMPTY, name: draft.name, node: draft.node, template: chosen, step: 1 })}
            />
          )}
        </Loaded>
      ) : template.data === undefined ? (
        template.isError ? <Failure error={template.error} what="The game’s template could not be loaded." /> : <Skeleton what="the game’s template" />
      ) : (
        <Form draft={draft} change={change} template={template.data} act={act} />
      )}
    </div>
  );
}

interface FormProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  template: TemplateView;
  act: ReturnType<typeof useAct<CreateServer, unknown>>;
}

function Form({ draft, change, template, act }: FormProps) {
  const last = draft.step === 2;
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (last) act.run(body(draft, template));
        else change({ step: 2 });
      }}
    >
      {draft.step === 1 ? (
        <PlaceStep draft={draft} change={change} template={template} fieldError={act.fieldError} />
      ) : (
        <NameStep draft={draft} change={change} template={template} fieldError={act.fieldError} />
      )}
      <Failure error={act.error} what="The server was not created." />
      <div className="form-buttons">
        <Button look="quiet" onClick={() => change({ step: draft.step - 1 })}>
          Back
        </Button>
        <Button type="submit" look="primary" progress={act.progress}>
          {last ? 'Create and install' : 'Next'}
        </Button>
      </div>
    </form>
  );
}
