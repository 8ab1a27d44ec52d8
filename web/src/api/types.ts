/**
 * The API's bodies by the names that the panel uses. `schema.d.ts` is generated from the OpenAPI document; what travels
 * outside of that document (console frames) is written here after `crates/types`.
 */
import type { components } from './schema';

type Schemas = components['schemas'];

/** An answer as it arrives: the API writes every field, and `null` where there is nothing. */
export type Answered<T> = T extends (infer U)[]
  ? Answered<U>[]
  : T extends object
    ? { [K in keyof T]-?: Answered<Exclude<T[K], undefined>> }
    : T;

/** A problem document is the exception: it leaves out what it does not have. */
export type Problem = Schemas['Problem'];
export type FieldError = Schemas['FieldError'];

export interface Page<T> {
  items: T[];
  total: number;
  next: string | null;
}

export type ServerState = Answered<Schemas['ServerState']>;
export type PowerAction = Answered<Schemas['PowerAction']>;
export type UserRole = Answered<Schemas['UserRole']>;
export type Permission = Answered<Schemas['Permission']>;
export type ServerView = Answered<Schemas['ServerView']>;
export type SessionView = Answered<Schemas['SessionView']>;
export type UserView = Answered<Schemas['UserView']>;
export type Endpoint = Answered<Schemas['Endpoint']>;
export type Limits = Answered<Schemas['Limits']>;
export type StatsSeries = Answered<Schemas['StatsSeries']>;
export type Sample = Answered<Schemas['Sample']>;
export type ActivityEntry = Answered<Schemas['ActivityEntry']>;
export type TemplateSummary = Answered<Schemas['TemplateSummary']>;
export type TemplateView = Answered<Schemas['TemplateView']>;
export type VariableView = Answered<Schemas['VariableView']>;
export type NodeView = Answered<Schemas['NodeView']>;
export type AllocationView = Answered<Schemas['AllocationView']>;
export type JoinToken = Answered<Schemas['JoinToken']>;
export type ApiKeyView = Answered<Schemas['ApiKeyView']>;
export type ApiKeyCreated = Answered<Schemas['ApiKeyCreated']>;
export type Component = Answered<Schemas['Component']>;
export type Renewal = Answered<Schemas['Renewal']>;
export type AutomaticAction = Answered<Schemas['AutomaticAction']>;
export type ApiEvent = Answered<Schemas['ApiEvent']>;
export type StatsTick = Answered<Schemas['StatsTick']>;

export type CreateServer = Schemas['CreateServer'];
export type UpdateServer = Schemas['UpdateServer'];
export type CreateUser = Schemas['CreateUser'];
export type UpdateUser = Schemas['UpdateUser'];

/** Console streams are NDJSON and not part of the OpenAPI document. */
export type LineKind = 'out' | 'in' | 'sys';
export interface ConsoleLine {
  n: number;
  t: number;
  k: LineKind;
  s: string;
}
export interface Gap {
  from: number;
  to: number;
  why: 'slow_reader' | 'rotated';
}
export type ConsoleFrame =
  | ConsoleLine
  | { gap: Gap }
  | { at: { first: number; next: number } }
  | { state: { connected: boolean; reason: string | null } }
  | { sent: { key: string; line: number | null } }
  | { failed: { key: string; problem: Problem } }
  | { beat: number };
