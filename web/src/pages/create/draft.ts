/** What is filled in so far, and the request that it becomes. Pure. */
import type { CreateServer, TemplateView } from '../../api/types';
import { limitTexts, readLimits, type LimitTexts } from './limit_fields';

export interface Draft {
  step: number;
  template: string | null;
  /** Empty: NodePanel chooses. */
  node: string;
  owner: string;
  limits: LimitTexts | null;
  ports: Record<string, string>;
  name: string;
  variables: Record<string, string>;
  start: boolean;
}

export const EMPTY: Draft = {
  step: 0, template: null, node: '', owner: '', limits: null, ports: {}, name: '', variables: {}, start: true,
};

export function limitsOf(draft: Draft, template: TemplateView): LimitTexts {
  return draft.limits ?? limitTexts(template.limits);
}

/** Only what differs from the defaults is sent; the rest is the API's to choose. */
export function body(draft: Draft, template: TemplateView): CreateServer {
  const ports = Object.entries(draft.ports).filter(([, port]) => port.trim() !== '');
  return {
    name: draft.name.trim(),
    template: template.id,
    variables: draft.variables,
    start: draft.start,
    ...(draft.node === '' ? {} : { node: draft.node }),
    ...(draft.owner === '' ? {} : { owner: draft.owner }),
    ...(draft.limits === null ? {} : { limits: readLimits(draft.limits) }),
    ...(ports.length === 0 ? {} : { ports: Object.fromEntries(ports.map(([name, port]) => [name, Number(port)])) }),
  };
}

/** The step that shows a field of the request. */
export function stepOfField(field: string): number {
  if (field === 'template') return 0;
  return /^(node|owner|limits|ports|address)\b/.test(field) ? 1 : 2;
}
